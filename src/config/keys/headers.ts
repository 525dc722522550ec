// Owns the keys of the fields that a route sets and removes, on the way to its backends and in the client's 101.

import type { Keys } from './row.ts';

const request = {
  set: {
    kind: 'named',
    by: 'request_field',
    of: { kind: 'text', form: 'template' },
    values: 'map of fields and values',
    default: {},
    says: 'Fields of the request to the backend; a {placeholder} in a value stands for what is known of the client.',
    more: 'On every route the client\'s own fields of these names are removed first. "{{" and "}}" are braces.',
  },
  remove: {
    kind: 'list',
    of: { kind: 'text', form: 'request_field' },
    values: 'list of fields',
    default: [],
    says: "Fields of the client's request that do not reach the backend.",
  },
} as const satisfies Keys;

const response = {
  set: {
    kind: 'named',
    by: 'answer_field',
    of: { kind: 'text', form: 'template' },
    values: 'map of fields and values',
    default: {},
    says: "Fields of the client's 101 or answer, in place of the backend's; values as those of request.",
  },
  remove: {
    kind: 'list',
    of: { kind: 'text', form: 'answer_field' },
    values: 'list of fields',
    default: [],
    says: "Fields of the backend's 101 or answer that do not reach the client.",
  },
} as const satisfies Keys;

export const headers = {
  request: { kind: 'block', unset: 'as the client sent it', says: 'What the backend gets.', keys: request },
  response: {
    kind: 'block',
    unset: 'as the backend sent it',
    says: "What the client's 101 holds, or the answer to a request without upgrade.",
    keys: response,
  },
} as const satisfies Keys;
