() => {
  if (window.blindspotShortcuts) return;
  window.blindspotShortcuts = true;
  const press = id => { const b = document.querySelector(`#${id}`); if (b && !b.disabled) { b.click(); return true; } };
  const twin = event => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.repeat) return false;
    if (event.target.closest('input, textarea, select, [contenteditable]')) return false;
    const panel = document.querySelector('#probe-twins');
    if (!panel || !panel.offsetParent) return false;
    if (event.key === 'Enter') { const b = panel.querySelector('[id^=twin-label].primary'); if (b) b.click(); return !!b; }
    const acts = {x: 'twin-drop', X: 'twin-drop', Backspace: 'twin-back'};
    return press(acts[event.key] || (/^[1-5]$/.test(event.key) ? `twin-label-${event.key}` : 'none'));
  };
  const visible = selector => [...document.querySelectorAll(selector)].find(element => element.offsetParent);
  const soon = (selector, then, tries = 40) => {
    const found = visible(selector);
    if (found) then(found); else if (tries) setTimeout(soon, 50, selector, then, tries - 1);
  };
  const acts = {
    KeyY: () => press('probe-right'),
    KeyN: () => press('probe-wrong') && (soon('#probe-expected input:checked, #probe-marks textarea', one => one.focus()), true),
    KeyS: () => press('probe-save') && (document.activeElement.blur(), true),  // the next keys are the twins'
    KeyZ: () => press('probe-undo'),
    KeyI: () => press('probe-why'),
    KeyF: () => press('probe-flip') && (document.activeElement.blur(), true),
    KeyE: () => {
      const field = visible('[id^=probe-form] textarea, [id^=probe-form] input');
      if (field) { field.focus(); field.select(); }
      return !!field;
    },
    KeyJ: () => {
      const cases = [...document.querySelectorAll('#probe-gallery input')];
      const next = cases[(cases.findIndex(one => one.checked) + 1) % cases.length];
      if (next) { next.click(); next.scrollIntoView({block: 'nearest'}); document.activeElement.blur(); }
      return !!next;
    },
  };
  // Each radio has a name of its own, so that the browser does not move between them by itself.
  const radios = event => {
    const step = {ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1}[event.key];
    const group = event.target.matches('input[type=radio]') && event.target.closest('fieldset');
    if (!step || !group || event.altKey || event.ctrlKey || event.metaKey) return false;
    const all = [...group.querySelectorAll('input[type=radio]')];
    const next = all[(all.indexOf(event.target) + step + all.length) % all.length];
    next.focus();
    next.click();
    return true;
  };
  let pause;
  document.addEventListener('input', event => {
    if (!event.target.closest('[id^=probe-form]')) return;
    clearTimeout(pause);
    pause = setTimeout(press, 600, 'probe-alike-look');
  });
  document.addEventListener('keydown', event => {
    if ((event.ctrlKey || event.metaKey) && event.key === 'Enter' && press('probe-run')) event.preventDefault();
    if (twin(event) || radios(event)) event.preventDefault();
    if (!event.altKey || event.ctrlKey || event.metaKey) return;
    if (acts[event.code]?.()) event.preventDefault();
    const tabs = [...document.querySelectorAll('button[role=tab]')];
    const number = /^Digit([1-9])$/.exec(event.code);
    if (number && tabs[number[1] - 1]) { tabs[number[1] - 1].click(); event.preventDefault(); }
  });
}
