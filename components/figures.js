() => {
  if (window.blindspotFigures) return;
  window.blindspotFigures = true;
  const css = name => getComputedStyle(document.body).getPropertyValue(name).trim();
  const title = plot => plot.layout?.title?.text || 'figure';
  const plain = value => JSON.parse(JSON.stringify(value, (_, v) => ArrayBuffer.isView(v) ? Array.from(v) : v));
  // The figure as it is seen: in the page's colours, on a ground of its own.
  const portrait = plot => {
    const {width, height} = plot._fullLayout;
    const layout = plain(plot.layout);
    layout.paper_bgcolor = layout.plot_bgcolor = css('--background-fill-primary');
    layout.font = {...layout.font, color: css('--body-text-color')};
    return {data: plain(plot.data), layout: {...layout, width, height, autosize: false}};
  };
  const save = (url, plot, ending) => {
    const link = document.createElement('a');
    link.href = url;
    link.download = `${title(plot).toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '')}.${ending}`;
    link.click();
  };
  const makers = {
    PNG: async plot => save(await Plotly.toImage(portrait(plot), {format: 'png', scale: 2}), plot, 'png'),
    HTML: async plot => {
      const source = (await (await fetch('plotly.js')).text()).replaceAll('</script', '<\\/script');
      const {data, layout} = portrait(plot);
      const json = JSON.stringify([data, layout]).replaceAll('<', '\\u003c');
      const head = document.createElement('title');
      head.textContent = title(plot);
      const html = `<!doctype html><html lang="en"><meta charset="utf-8">${head.outerHTML}` +
        `<body style="margin:0;background:${layout.paper_bgcolor}"><div id="figure"></div><script>${source}</script>` +
        `<script>Plotly.newPlot('figure', ...${json})</script></body></html>`;
      const url = URL.createObjectURL(new Blob([html], {type: 'text/html'}));
      save(url, plot, 'html');
      setTimeout(() => URL.revokeObjectURL(url), 60000);
    },
  };
  const tools = (block, plot) => {
    let bar = block.querySelector('.figure-tools');
    if (!bar) {
      bar = document.createElement('div');
      bar.className = 'figure-tools';
      for (const [kind, make] of Object.entries(makers)) {
        const button = document.createElement('button');
        button.textContent = kind;
        button.onclick = () => make(block.querySelector('.js-plotly-plot'));
        bar.append(button);
      }
      block.append(bar);
    }
    const named = title(plot).replace(/<[^>]*>/g, ' ');
    if (plot.getAttribute('aria-label') === named) return;
    plot.setAttribute('role', 'figure');
    plot.setAttribute('aria-label', named);
    bar.querySelectorAll('button').forEach(b => b.setAttribute('aria-label', `Download ${named} as ${b.textContent}`));
  };
  const type = (selector, value) => {
    const field = document.querySelector(`${selector} textarea, ${selector} input`);
    if (!field) return;
    field.value = value;
    field.dispatchEvent(new Event('input', {bubbles: true}));
  };
  const picks = {
    'spots-map': plot => plot.on('plotly_click', ({points: [cell]}) => type('#spots-picked', `${cell.x}|${cell.y}`)),
    'review-map': plot => plot.on('plotly_selected', event => event && type('#review-search',
      event.points.length ? `ids: ${event.points.map(point => point.customdata).join(', ')}` : '')),
  };
  setInterval(() => document.querySelectorAll('.js-plotly-plot').forEach(plot => {
    const block = plot.closest('.block');
    if (!block || !plot.on) return;
    tools(block, plot);
    if (plot.dataset.picks) return;
    plot.dataset.picks = 'yes';
    picks[block.id]?.(plot);
  }), 500);
}
