// Numbered messages: who sends one, in which of his sessions, and the how manyth it is there. The same bytes come back.

const WORD = 4;
/** Behind these a payload is padding. */
export const NUMBER_BYTES = 3 * WORD;
/** For messages that nobody counts. */
export const UNCOUNTED = 0xffff_ffff;

export interface Numbered {
  readonly client: number;
  readonly session: number;
  readonly number: number;
}

/** `bytes` of payload, at least NUMBER_BYTES. */
export function numberedPayload({ client, session, number }: Numbered, bytes: number): Buffer {
  const payload = Buffer.alloc(bytes);
  payload.writeUInt32BE(client, 0);
  payload.writeUInt32BE(session, WORD);
  payload.writeUInt32BE(number, 2 * WORD);
  return payload;
}

/** Null when it is too short. */
export function readNumbered(payload: Uint8Array): Numbered | null {
  if (payload.length < NUMBER_BYTES) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return { client: view.getUint32(0), session: view.getUint32(WORD), number: view.getUint32(2 * WORD) };
}
