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
  const cells = () => document.querySelectorAll('#spots-map .js-plotly-plot').forEach(plot => {
    if (plot.dataset.picks || !plot.on) return;
    plot.dataset.picks = 'yes';
    plot.on('plotly_click', ({points: [cell]}) => {
      const field = document.querySelector('#spots-picked textarea, #spots-picked input');
      field.value = `${cell.x}|${cell.y}`;
      field.dispatchEvent(new Event('input', {bubbles: true}));
    });
  });
  const lasso = () => document.querySelectorAll('#review-map .js-plotly-plot').forEach(plot => {
    if (plot.dataset.picks || !plot.on) return;
    plot.dataset.picks = 'yes';
    plot.on('plotly_selected', event => {
      const field = document.querySelector('#review-search textarea, #review-search input');
      if (!event || !field) return;
      field.value = event.points.length ? `ids: ${event.points.map(point => point.customdata).join(', ')}` : '';
      field.dispatchEvent(new Event('input', {bubbles: true}));
    });
  });
  setInterval(() => { cells(); lasso(); }, 500);
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
