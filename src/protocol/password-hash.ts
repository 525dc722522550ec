// Passwords as scrypt makes them, in PHC's string format: read and written. It hashes nothing.

/** Parameters, salt and result. */
interface PasswordHash {
  /** log2 of N. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

const SALT_BYTES = { min: 8, max: 64 };
const HASH_BYTES = { min: 16, max: 64 };
const FORM =
  /^\$scrypt\$ln=([1-9][0-9]?),r=([1-9][0-9]?),p=([1-9][0-9]?)\$([+/0-9A-Za-z]{10,88})\$([+/0-9A-Za-z]{20,88})$/;

/** Null: not of this form. Whether its parameters are in bounds is another question: `isBounded`. */
export function parsePasswordHash(text: string): PasswordHash | null {
  const [, ln, r, p, salt, hash] = FORM.exec(text) ?? [];
  if (ln === undefined || salt === undefined || hash === undefined) return null;
  const bytes = { salt: unpadded(salt), hash: unpadded(hash) };
  if (bytes.salt === null || bytes.hash === null) return null;
  return { ln: Number(ln), r: Number(r), p: Number(p), salt: bytes.salt, hash: bytes.hash };
}

export function passwordHashText({ ln, r, p, salt, hash }: PasswordHash): string {
  return `$scrypt$ln=${ln},r=${r},p=${p}$${unpaddedText(salt)}$${unpaddedText(hash)}`;
}

/** Neither so cheap that it can be guessed, nor so dear that it can be used to keep us busy. */
export function isBounded({ ln, r, p, salt, hash }: PasswordHash): boolean {
  const isSized = isWithin(salt.length, SALT_BYTES) && isWithin(hash.length, HASH_BYTES);
  return isSized && ln >= 10 && ln <= 17 && r === 8 && p >= 1 && p <= 4;
}

function isWithin(value: number, { min, max }: typeof SALT_BYTES): boolean {
  return value >= min && value <= max;
}

/** Null when it is not the one spelling of its bytes. */
function unpadded(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return unpaddedText(bytes) === text ? bytes : null;
}

function unpaddedText(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
