// 绑定老人, signed in or not: the code of a QR code or a link stands behind the # of the address, where no
// server sees it.

export function start(root) {
  const field = root.querySelector('#code');
  const code = decodeURIComponent(location.hash.slice(1));
  if (!field || !/^[0-9a-z-]{6,20}$/i.test(code)) return;
  if (!field.value) field.value = code;
  history.replaceState(history.state, '', location.pathname);
  // Whoever signs in instead need not type it again.
  for (const link of root.querySelectorAll('a[data-keeps-code]')) link.hash = code;
  root.querySelector('#relation')?.focus();
}
