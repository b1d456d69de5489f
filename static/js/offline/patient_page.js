// Whom a stored patient page is about: read off what it shows, which stands there only once.

/** @param {Document} page @returns {?{name: string, phone: string, village: string}} null for any other page */
export function headOf(page) {
  const heading = page.querySelector('[data-page="patient"] h1');
  return (
    heading && {
      name: heading.firstChild.textContent.trim(),
      phone: page.querySelector('a[data-own]')?.getAttribute('href').replace('tel:', '') || '',
      village: page.querySelector('[data-village]')?.textContent || '',
    }
  );
}
