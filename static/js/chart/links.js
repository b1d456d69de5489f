// Links of the patient page that name only what differs: ?to=edit, ?form=adl, ?visit=3 (its row). The server follows
// them too (app/chart/pages.py: onward); a phone without a network has to know the whole address, and its page may
// be older than the server's: there a visit is named by what it is, not by its row.

const TAIL = 6; // pages of older builds name a visit by as much of the end of its id

const TO = {
  edit: (id) => `/patients/${id}/edit`,
  family: (id) => `/patients/${id}/family`,
  rights: (id) => `/patients/${id}/rights`,
  order: (id) => `/orders/new?patient=${id}`,
};

/**
 * @param {{name: string}[]} visits that the page lists, newest first
 * @returns {?string} the whole address; null for a link that is none of these
 */
export function onward(href, id, visits) {
  const [, key, value] = /^\?(to|form|visit)=([\w-]+)$/.exec(href) || [];
  if (key === 'form') return `/visits/new/${value}?patient=${id}`;
  if (key === 'visit') {
    const name = visits[value - 1]?.name || (value.length >= TAIL && value);
    return name ? `/patients/${id}/visits/${name}` : null;
  }
  return Object.hasOwn(TO, value ?? '') ? TO[value](id) : null;
}

/** Give every such link of the page its whole address. */
export function aim(page, id, visits) {
  for (const link of page.querySelectorAll('a[href^="?"]')) {
    const whole = onward(link.getAttribute('href'), id, visits);
    if (whole) link.href = whole;
  }
}
