// Records that build on another one of this phone: a visit of a person registered offline, the correction of a
// visit. The server will know that record by the name of whatever takes its place.

const REFERENCES = ['patient_id', 'visit_id', 'order_id'];
// `sending` too: it names what the server does not know, so it will come back, and must not wait for ever.
const MOVABLE = ['saved', 'sending', 'conflict', 'rejected'];

/** Those of `records` that name `from`, rewritten to name `to`, as newer versions of themselves. */
export function follow(records, from, to) {
  const found = [];
  for (const record of records) {
    if (record.unreadable || !MOVABLE.includes(record.state) || record.op_id === from) continue;
    const names = REFERENCES.filter((name) => record.payload[name] === from);
    if (!names.length) continue;
    const payload = { ...record.payload, ...Object.fromEntries(names.map((name) => [name, to])) };
    const patient_id = record.patient_id === from ? to : record.patient_id;
    found.push({ ...record, payload, patient_id, version: (record.version || 1) + 1 });
  }
  return found;
}
