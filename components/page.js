() => {
  if (window.blindspotShortcuts) return;
  window.blindspotShortcuts = true;
  const press = id => { const b = document.querySelector(`#${id}`); if (b && !b.disabled) { b.click(); return true; } };
  document.addEventListener('keydown', event => {
    if ((event.ctrlKey || event.metaKey) && event.key === 'Enter' && press('probe-run')) event.preventDefault();
    if (!event.altKey || event.ctrlKey || event.metaKey) return;
    const acts = {KeyY: 'probe-right', KeyN: 'probe-wrong', KeyS: 'probe-save', KeyZ: 'probe-undo', KeyI: 'probe-why'};
    if (acts[event.code] && press(acts[event.code])) event.preventDefault();
    const tabs = [...document.querySelectorAll('button[role=tab]')];
    const number = /^Digit([1-9])$/.exec(event.code);
    if (number && tabs[number[1] - 1]) { tabs[number[1] - 1].click(); event.preventDefault(); }
  });
}
