// Links of the patient page that name only what differs: ?to=edit, ?form=adl, ?visit=5a25b7. The server follows
// them too (app/chart/pages.py: onward); a phone without a network has to know the whole address.

const TO = {
  edit: (id) => `/patients/${id}/edit`,
  family: (id) => `/patients/${id}/family`,
  rights: (id) => `/patients/${id}/rights`,
  order: (id) => `/orders/new?patient=${id}`,
};

/** @returns {?string} the whole address; null for a link that is none of these */
export function onward(href, id) {
  const [, key, value] = /^\?(to|form|visit)=([\w-]+)$/.exec(href) || [];
  if (key === 'form') return `/visits/new/${value}?patient=${id}`;
  if (key === 'visit') return `/patients/${id}/visits/${value}`;
  return Object.hasOwn(TO, value ?? '') ? TO[value](id) : null;
}

/** Give every such link of the page its whole address. */
export function aim(page, id) {
  for (const link of page.querySelectorAll('a[href^="?"]')) {
    const whole = onward(link.getAttribute('href'), id);
    if (whole) link.href = whole;
  }
}
