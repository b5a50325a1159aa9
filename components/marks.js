() => {
  // Under a text in which spans are marked stands a button for each type: it marks what is selected.
  if (window.blindspotMarks) return;
  window.blindspotMarks = true;
  const mark = /\[([^[\]]+)\]\([A-Z]+\)/g;
  const apply = (text, type) => {
    let {selectionStart: from, selectionEnd: to, value} = text;
    for (const found of value.matchAll(mark)) {  // a mark is changed as a whole
      const end = found.index + found[0].length;
      if (found.index < to && from < end) { from = Math.min(from, found.index); to = Math.max(to, end); }
    }
    const chosen = value.slice(from, to);
    from += chosen.length - chosen.trimStart().length;
    const plain = chosen.trim().replace(mark, '$1');
    if (!plain) return;
    text.setRangeText(type ? `[${plain}](${type})` : plain, from, from + chosen.trim().length, 'select');
    text.dispatchEvent(new Event('input', {bubbles: true}));
    text.focus();
  };
  const dress = () => document.querySelectorAll('[id$=-marks] textarea').forEach(text => {
    const block = text.closest('[id$=-marks]');
    if (block.querySelector('.span-types')) return;
    const bar = document.createElement('div');
    bar.className = 'span-types';
    bar.setAttribute('role', 'toolbar');
    bar.setAttribute('aria-label', 'Type of what is selected');
    for (const type of [...TYPES, '']) {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = type || 'no entity';
      button.addEventListener('mousedown', event => event.preventDefault());  // the selection stays
      button.addEventListener('click', () => apply(text, type));
      bar.append(button);
    }
    block.append(bar);
  });
  new MutationObserver(dress).observe(document.body, {childList: true, subtree: true});
  dress();
}
