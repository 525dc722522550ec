// CRC32c, the checksum of RFC 4960 appendix B, over bytes that come in pieces.

/** Castagnoli's polynomial, its bits reversed. */
const POLYNOMIAL = 0x82f63b78;

/** By the low byte. Filled once, never written again. */
const TABLE: Readonly<Int32Array> = Int32Array.from({ length: 256 }, (_, index) => {
  let word = index;
  for (let bit = 0; bit < 8; bit += 1) word = (word & 1) === 1 ? (word >>> 1) ^ POLYNOMIAL : word >>> 1;
  return word;
});

export class Crc32c {
  private word = -1;

  /** Of all bytes so far, as an unsigned number. */
  get value(): number {
    return ~this.word >>> 0;
  }

  update(bytes: Uint8Array, start: number, end: number): void {
    let { word } = this;
    for (let i = start; i < end; i += 1) word = TABLE[(word ^ bytes[i]!) & 0xff]! ^ (word >>> 8);
    this.word = word;
  }
}
