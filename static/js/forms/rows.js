// Rows of medication: a line of words per drug that opens into its fields.

/**
 * @param {HTMLFormElement} element
 * @param {object} field the list field of the definition
 * @param {() => void} changed called after a row came or went
 */
export class Rows {
  constructor(element, field, changed) {
    this.field = field;
    this.changed = changed;
    this.holder = element.querySelector(`[data-rows="${field.key}"]`);
    this.template = element.querySelector(`[data-row-template="${field.key}"]`);
    this.group = this.holder.closest('[data-field]');
    this.next = this.entries().length;
    for (const entry of this.entries()) {
      if (this.isBlank(entry)) entry.remove();
      else this.prepare(entry, false);
    }
    const add = this.group.querySelector('[data-add]');
    add.hidden = false;
    add.addEventListener('click', () => this.add({}, true));
    this.showCount();
  }

  entries() {
    return Array.from(this.holder.querySelectorAll('[data-row]'));
  }

  controls(entry) {
    return Array.from(entry.querySelectorAll('input, select, textarea'));
  }

  isBlank(entry) {
    return this.controls(entry).every((control) => control.value === '');
  }

  /** A new row with these values, opened for typing or shut. */
  add(values, open) {
    const made = this.template.content.cloneNode(true).firstElementChild;
    const place = this.next;
    this.next += 1;
    made.dataset.row = String(place);
    for (const node of made.querySelectorAll('[name], [id], [for]')) {
      for (const attribute of ['name', 'id', 'for']) {
        const text = node.getAttribute(attribute);
        if (text) node.setAttribute(attribute, text.replace('__N__', String(place)));
      }
    }
    for (const item of this.field.item) {
      const value = values[item.key];
      if (value !== undefined && value !== null) this.control(made, item).value = String(value);
    }
    this.holder.append(made);
    this.prepare(made, open);
    this.showCount();
    if (open) this.control(made, this.field.item[0]).focus();
    return made;
  }

  /** Replace all rows, for a draft or a correction. */
  fill(list) {
    for (const entry of this.entries()) entry.remove();
    for (const values of Array.isArray(list) ? list : []) this.add(values, false);
    this.showCount();
  }

  control(entry, item) {
    return entry.querySelector(`[data-cell="${item.key}"] input, [data-cell="${item.key}"] select`);
  }

  prepare(entry, open) {
    entry.querySelector('.entry-acts').hidden = false;
    entry.querySelector('[data-edit]').addEventListener('click', () => this.toggle(entry, true));
    entry.querySelector('[data-done]').addEventListener('click', () => this.close(entry));
    entry.querySelector('[data-remove]').addEventListener('click', () => this.remove(entry));
    this.toggle(entry, open);
  }

  close(entry) {
    if (this.isBlank(entry)) {
      this.remove(entry);
      return;
    }
    this.toggle(entry, false);
    entry.querySelector('[data-edit]').focus();
  }

  remove(entry) {
    entry.remove();
    this.showCount();
    this.group.querySelector('[data-add]').focus();
    this.changed();
  }

  toggle(entry, open) {
    entry.querySelector('.entry-body').hidden = !open;
    const line = entry.querySelector('[data-edit]');
    line.hidden = open;
    const words = this.words(entry);
    line.setAttribute('aria-label', `修改 ${words.join('，')}`);
    const holder = line.querySelector('.entry-words');
    holder.textContent = '';
    words.forEach((word, place) => {
      if (place > 1) holder.append(Object.assign(document.createElement('span'), { className: 'sep' }));
      if (place === 1) holder.append(' ');
      holder.append(Object.assign(document.createElement(place ? 'span' : 'b'), { textContent: word }));
    });
  }

  /** The row in words: name first, then each detail that has all its parts. */
  words(entry) {
    const value = (key) => {
      const control = this.control(entry, { key });
      return control ? control.value.trim() : '';
    };
    return [this.field.row, ...this.field.row_detail]
      .filter((template) => Array.from(template.matchAll(/\{(\w+)\}/g)).every(([, key]) => value(key) !== ''))
      .map((template) => template.replace(/\{(\w+)\}/g, (_, key) => value(key)));
  }

  showCount() {
    const none = this.group.querySelector('.entries-none');
    if (none) none.remove();
    if (this.entries().length) return;
    const words = document.createElement('p');
    words.className = 'entries-none';
    words.textContent = `没有${this.field.short || this.field.zh}`;
    this.holder.after(words);
  }

  /** Open the row a finding points into. */
  reveal(place) {
    const entry = this.entries()[place];
    if (entry) this.toggle(entry, true);
    return entry || null;
  }
}
