/**
 * {'rating.overall': 5} -> {rating: {overall: 5}}. Without its main answer there is no rating; what was written is
 * kept as a note.
 */
export function nested(flat) {
  const payload = {};
  for (const [name, value] of Object.entries(flat)) {
    const [outer, inner] = name.split('.');
    if (inner === undefined) payload[name] = value;
    else payload[outer] = { ...payload[outer], [inner]: value };
  }
  const { rating } = payload;
  if (rating && rating.overall === undefined) {
    if (rating.comment) payload.note = rating.comment;
    delete payload.rating;
  }
  return payload;
}
