// Whose page this is. Stored pages carry it too; the sign-in and offline pages name nobody.

export function userId() {
  return document.body.dataset.user || '';
}

/** Who it is, for the lock: kept on the phone beside their wrapped key. */
export function who() {
  const { user, role, name } = document.body.dataset;
  return { user_id: user, role, name };
}

export function role() {
  return document.body.dataset.role || '';
}

const BY_PATH = [
  [/^\/sign-in(?:\/|$)/, 'sign-in'],
  [/^\/today$/, 'today'],
  [/^\/patients$/, 'patients'],
  [/^\/patients\/new$/, 'patient-new'],
  [/^\/patients\/[^/]+$/, 'patient'],
  [/^\/patients\/[^/]+\/edit$/, 'patient-edit'],
  [/^\/visits\/new\/[^/]+$/, 'visit-form'],
  [/^\/visits\/[^/]+\/correct$/, 'visit-form'],
  [/^\/visits\/[^/]+$/, 'visit'],
  [/^\/outbox$/, 'outbox'],
  [/^\/family$/, 'family'],
  [/^\/orders\/new$/, 'order-new'],
  [/^\/orders$/, 'orders'],
  [/^\/orders\/[^/]+$/, 'order'],
  [/^\/desk$/, 'desk'],
  [/^\/notices$/, 'notices'],
  [/^\/me$/, 'me'],
  [/^\/unlock$/, 'unlock'],
];

/** The name of the page for scripts and overlays: data-page, or what its address says. */
export function pageName() {
  const named = document.querySelector('[data-page]')?.dataset.page;
  if (named) return named;
  return BY_PATH.find(([pattern]) => pattern.test(location.pathname))?.[1] || '';
}
