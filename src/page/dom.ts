// Makes and changes elements. The one place that does: whatever comes from outside becomes text or the value of a
// harmless attribute, and never markup.

export type Child = Node | string | null;

type Attributes = Readonly<Record<string, string | number | boolean | null>>;

/** What may be set by name. What could run or load something is not among it. */
const ATTRIBUTES = /^(aria-[a-z]+|class|colspan|data-[a-z]+|for|id|role|scope|tabindex|title|type|value|name|hidden)$/;
const MORE =
  /^(autocomplete|autofocus|disabled|high|low|max|maxlength|min|optimum|pattern|placeholder|required|spellcheck)$/;

/** An element with its attributes and children; null and false leave one out. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (!ATTRIBUTES.test(name) && !MORE.test(name)) throw new Error(`no attribute to be set by name: ${name}`);
    if (value !== null && value !== false) element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

/** The element of the page with that id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no element ${id}`);
  return element as T;
}

/** Touches the element only when it says something else: an unchanged one costs no layout and keeps a selection. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setClass(element: Element, text: string): void {
  if (element.className !== text) element.className = text;
}

/** A state as a mark and a word. */
export type Tone = 'good' | 'idle' | 'warn' | 'bad';

export function sayState(element: HTMLElement, tone: Tone, text: string): void {
  setClass(element, tone === 'good' ? 'state' : `state ${tone}`);
  say(element, text);
}

/** A button that does one thing at a time: it is off while that goes on. */
export function button(text: string, name: string, run: () => Promise<void> | void): HTMLButtonElement {
  const element = make('button', { type: 'button', class: name === '' ? null : name }, text);
  element.addEventListener('click', () => void runOnce(element, run));
  return element;
}

async function runOnce(element: HTMLButtonElement, run: () => Promise<void> | void): Promise<void> {
  const running = run();
  if (!(running instanceof Promise)) return;
  element.disabled = true;
  try {
    await running;
  } finally {
    element.disabled = false;
  }
}
