// Sets light or dark before the first paint. A file of its own, so that no inline script needs an exception in the CSP.
(() => {
  let scheme = 'auto';
  try {
    scheme = localStorage.getItem('fieldline-color-scheme') || 'auto';
  } catch {
    // Storage is blocked: the system's scheme is right.
  }
  const dark = scheme === 'dark' || (scheme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light');
})();
