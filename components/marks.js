() => {
  // Under a text in which spans are marked stands a button for each type: it marks what is selected, or the word at
  // the cursor. In the text Alt and the type's first letter do the same, and Alt+0 takes a mark away.
  if (window.blindspotMarks) return;
  window.blindspotMarks = true;
  const mark = /\[([^[\]]+)\]\([A-Z]+\)/g;
  const keys = Object.fromEntries([...TYPES.map(type => [`Key${type[0]}`, type]), ['Digit0', '']]);
  const inWord = letter => !!letter && letter < '\u2e80' && /[\p{L}\p{N}]/u.test(letter);
  const apply = (text, type) => {
    let {selectionStart: from, selectionEnd: to, value} = text;
    const near = from === to ? 1 : 0;  // a cursor right beside a mark is at it
    const cuts = place => inWord(value[place - 1]) && inWord(value[place]);
    if (from === to && inWord(value[from])) to += 1;
    if (from === to && inWord(value[from - 1])) from -= 1;
    while (cuts(from)) from -= 1;  // whole words, as a span is of whole words
    while (cuts(to)) to += 1;
    for (const found of value.matchAll(mark)) {  // a mark is changed as a whole
      const end = found.index + found[0].length;
      if (found.index < to + near && from < end + near) { from = Math.min(from, found.index); to = Math.max(to, end); }
    }
    const chosen = value.slice(from, to);
    from += chosen.length - chosen.trimStart().length;
    const plain = chosen.trim().replace(mark, '$1');
    if (!plain) return;
    text.setRangeText(type ? `[${plain}](${type})` : plain, from, from + chosen.trim().length, 'end');
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
      button.title = `Alt+${type ? type[0] : '0'}`;
      button.setAttribute('aria-keyshortcuts', button.title);
      button.addEventListener('mousedown', event => event.preventDefault());  // the selection stays
      button.addEventListener('click', () => apply(text, type));
      bar.append(button);
    }
    block.append(bar);
  });
  document.addEventListener('keydown', event => {
    const text = event.target.closest('[id$=-marks] textarea');
    if (!text || !event.altKey || event.ctrlKey || event.metaKey || !(event.code in keys)) return;
    event.preventDefault();
    apply(text, keys[event.code]);
  });
  new MutationObserver(dress).observe(document.body, {childList: true, subtree: true});
  dress();
}
