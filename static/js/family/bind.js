// 绑定老人: the code of a QR code or a link stands behind the # of the address, where no server sees it.

export function start(root) {
  const field = root.querySelector('#code');
  const code = decodeURIComponent(location.hash.slice(1));
  if (!field || !/^[0-9a-z-]{6,20}$/i.test(code)) return;
  if (!field.value) field.value = code;
  history.replaceState(history.state, '', location.pathname);
  root.querySelector('#relation')?.focus();
}
