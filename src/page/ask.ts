// Asks before something is done: a dialog that says what will happen, with fields where something may be chosen.
// Escape and "Cancel" do nothing.

import { button, make, say } from './dom.ts';

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly value?: string;
  readonly placeholder?: string;
  /** A pattern as of an input element; what does not match is not taken. */
  readonly pattern?: string;
  /** It cannot be left empty. */
  readonly isNeeded?: boolean;
  readonly hint?: string;
}

interface Question {
  readonly title: string;
  readonly text: string;
  /** What the button that does it says. */
  readonly verb: string;
  readonly isGrave?: boolean;
  readonly fields?: readonly Field[];
}

export type Answers = Readonly<Record<string, string>>;

/** What was typed, by field; null when it is not to be done. */
export function ask({ title, text, verb, isGrave, fields = [] }: Question): Promise<Answers | null> {
  const heading = make('h2', { id: 'asked' }, title);
  const explained = make('p', { id: 'asked-text' }, text);
  const inputs = fields.map(inputOf);
  const form = make('form', { class: 'inner' }, heading, explained, ...inputs.map(labelled));
  const dialog = make('dialog', { 'aria-labelledby': 'asked', 'aria-describedby': 'asked-text' }, form);
  const cancel = button('Cancel', '', () => dialog.close());
  const act = make('button', { type: 'submit', class: isGrave === true ? 'grave' : 'main' }, verb);
  form.append(make('div', { class: 'buttons' }, cancel, act));
  let answers: Answers | null = null;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    answers = Object.fromEntries(inputs.map(({ field, input }) => [field.name, input.value.trim()]));
    dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
  (inputs[0]?.input ?? cancel).focus();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(answers);
    });
  });
}

interface Asked {
  readonly field: Field;
  readonly input: HTMLInputElement;
}

function inputOf(field: Field): Asked {
  const { name, value = '', placeholder = null, pattern = null, hint = null, isNeeded: required = false } = field;
  const attributes = { type: 'text', name, value, placeholder, pattern, required, title: hint, autocomplete: 'off' };
  return { field, input: make('input', { ...attributes, spellcheck: 'false' }) };
}

function labelled({ field: { label, hint }, input }: Asked): HTMLElement {
  const below = hint === undefined ? null : make('small', { class: 'quiet' }, hint);
  return make('label', { class: 'field' }, make('span', {}, label), input, below);
}

const SAID_MAX = 3;
const SAID_MS = 12_000;

/** What came of something, above the sections. What went wrong stays until it is put away. */
export function report(place: HTMLElement, tone: 'good' | 'bad', text: string): void {
  const words = make('span');
  const note = make('div', { class: `note ${tone}` }, words);
  note.append(button('Dismiss', 'small', () => note.remove()));
  place.prepend(note);
  while (place.childElementCount > SAID_MAX) place.lastElementChild?.remove();
  // Said a moment after it is there, so that readers of screens notice.
  requestAnimationFrame(() => say(words, text));
  if (tone === 'good') setTimeout(() => note.remove(), SAID_MS);
}
