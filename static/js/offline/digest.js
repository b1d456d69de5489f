// Does the phone hold exactly what the server thinks it holds?

/** Hex SHA-256 of a text, or of bytes. */
export async function sha256(given) {
  const bytes = typeof given === 'string' ? new TextEncoder().encode(given) : given;
  const hash = await crypto.subtle.digest('SHA-256', bytes);
  return Array.from(new Uint8Array(hash), (b) => b.toString(16).padStart(2, '0')).join('');
}

/**
 * Hex SHA-256 over `url TAB rev LF` of all pages, sorted by address.
 * @param {Record<string, string>} revs address -> revision
 */
export function digest(revs) {
  const lines = Object.keys(revs)
    .sort()
    .map((url) => `${url}\t${revs[url]}\n`);
  return sha256(lines.join(''));
}
