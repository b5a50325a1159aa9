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
  document.addEventListener('keydown', event => {
    if ((event.ctrlKey || event.metaKey) && event.key === 'Enter' && press('probe-run')) event.preventDefault();
    if (twin(event)) event.preventDefault();
    if (!event.altKey || event.ctrlKey || event.metaKey) return;
    const acts = {KeyY: 'probe-right', KeyN: 'probe-wrong', KeyS: 'probe-save', KeyZ: 'probe-undo', KeyI: 'probe-why'};
    if (acts[event.code] && press(acts[event.code])) event.preventDefault();
    const tabs = [...document.querySelectorAll('button[role=tab]')];
    const number = /^Digit([1-9])$/.exec(event.code);
    if (number && tabs[number[1] - 1]) { tabs[number[1] - 1].click(); event.preventDefault(); }
  });
}
