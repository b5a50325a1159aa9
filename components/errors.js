() => {
  // Of events that are not queued Gradio 6.31 keeps an error's message to itself: here it reaches the person.
  if (window.blindspotErrors) return;
  window.blindspotErrors = true;
  const place = document.createElement('div');
  place.id = 'errors';
  document.body.append(place);
  const show = (words, duration_s) => {
    const note = document.createElement('div'), close = document.createElement('button');
    note.className = 'problem';
    note.setAttribute('role', 'alert');
    note.textContent = words;
    close.type = 'button';
    close.textContent = '×';
    close.setAttribute('aria-label', 'Close');
    close.addEventListener('click', () => note.remove());
    note.append(close);
    place.replaceChildren(note);
    if (duration_s) setTimeout(() => note.remove(), 1000 * duration_s);
  };
  const ask = window.fetch;
  window.fetch = async (...asked) => {
    const answer = await ask(...asked);
    if (answer.status === 500 && new URL(answer.url).pathname.endsWith('/gradio_api/run/predict')) {
      const {error, duration} = await answer.clone().json().catch(() => ({}));
      if (error) show(error, duration);
    }
    return answer;
  };
}
