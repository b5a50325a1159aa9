// Gradio 6.31 asks navigator.language alone and knows Chinese by two names; here every Chinese has the nearer of them.
(() => {
  const asked = navigator.language;
  if (!/^zh\b/i.test(asked)) return;
  const known = /^zh-(hant|tw|hk|mo)\b/i.test(asked) ? 'zh-TW' : 'zh-CN';
  Object.defineProperty(navigator, 'language', {get: () => known});
})();
