// What somebody has typed into or chosen on a form, taken down and put back.

/** What differs from the form as it came, in order: {name, id, place, value, checked?}. */
export function snapshot(form) {
  const values = [];
  const places = new Map();
  for (const field of form.elements) {
    if (!(field.name || field.id) || !typed(field)) continue;
    const { name, id, value } = field;
    const place = places.get(name) || 0;
    places.set(name, place + 1);
    if (!differs(field)) continue;
    const ticked = field.type === 'checkbox' || field.type === 'radio';
    values.push({ name, id, place, value, ...(ticked ? { checked: field.checked } : {}) });
  }
  return values;
}

function typed({ type }) {
  return !/^(hidden|submit|button|reset|image|file|password|fieldset|output)$/.test(type);
}

function differs(field) {
  if (field.type === 'checkbox' || field.type === 'radio') return field.checked !== field.defaultChecked;
  if (field.options) return [...field.options].some((o) => o.selected !== o.defaultSelected);
  return field.value !== field.defaultValue;
}

/** Put a snapshot back; `nx-restored` tells the page's own script. */
export function restore(form, values) {
  const fields = [...form.elements].filter(typed);
  for (const { name, id, place, value, checked } of values) {
    const field = id ? fields.find((f) => f.id === id) : found(fields, { name, place, value, checked });
    if (!field) continue;
    if (checked === undefined) field.value = value;
    else field.checked = checked;
    for (let fold = field.closest('details'); fold; fold = fold.parentElement.closest('details'))
      fold.open = true;
  }
  form.dispatchEvent(new Event('input', { bubbles: true }));
  form.dispatchEvent(new CustomEvent('nx-restored', { bubbles: true }));
}

function found(fields, { name, place, value, checked }) {
  const named = fields.filter((field) => field.name === name);
  // A choice by what it stands for, never by its place: 明天上午 of yesterday is another day.
  return checked === undefined ? named[place] : named.find((field) => field.value === value);
}
