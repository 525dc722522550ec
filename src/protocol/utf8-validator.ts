// Is a message UTF-8 (RFC 3629), told byte by byte as it passes, masked or not? State is a few numbers between calls.
// It copies nothing, keeps no bytes, and knows no frames: its caller says where payload stands and when a message ends.

/** `missing` after an impossible byte: nothing that follows is judged any more. */
const DEAD = -1;

/** ASCII bytes in a row after which a view of whole words is made, and bytes that it must have before it. */
const WORDS_AFTER = 256;
const WORDS_MIN = 512;
/** Where it is not, bytes are compared eight at a time only. */
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

const CONTINUATION_MIN = 0x80;
const CONTINUATION_MAX = 0xbf;

export class Utf8Validator {
  /** Bytes that the character begun still needs; 0 between characters. */
  private missing = 0;
  /** What the next of them may be. Narrower than 80-BF only behind E0, ED, F0 and F4. */
  private low = CONTINUATION_MIN;
  private high = CONTINUATION_MAX;

  /**
   * Judge `[start, end)` of the payload. `key` is the masking key as a big-endian number (readUInt32BE), 0 for a
   * payload in the clear; `keyOffset` is the index in its frame's payload of the byte at `start` (only its last two
   * bits count). Returns the index of the first byte that no UTF-8 text can have there, or -1. After one, it is always
   * `start`.
   */
  feed(bytes: Uint8Array, start: number, end: number, key: number, keyOffset: number): number {
    if (this.missing === DEAD) return start;
    // Turned so that its first byte belongs to the byte at `start`.
    const turn = (keyOffset & 3) << 3;
    const turned = turn === 0 ? key : (key << turn) | (key >>> (32 - turn));
    let at = start;
    while (at < end) {
      if (this.missing === 0) {
        at = skipAscii(bytes, at, end, turned, at - start);
        at = skipWhole(bytes, at, end, turned, at - start);
        if (at === end) return -1;
      }
      const byte = (bytes[at]! ^ maskAt(turned, at - start)) & 0xff; // at < end
      if (!this.takes(byte)) {
        this.missing = DEAD;
        return at;
      }
      at += 1;
    }
    return -1;
  }

  /** True when what was fed is whole: at the end of a message anything else is not UTF-8. */
  isComplete(): boolean {
    return this.missing === 0;
  }

  /** Begin the next message. */
  reset(): void {
    this.missing = 0;
    this.low = CONTINUATION_MIN;
    this.high = CONTINUATION_MAX;
  }

  /** The table of RFC 3629 4: no overlong form, no surrogate, nothing above 10FFFF. */
  private takes(byte: number): boolean {
    if (this.missing > 0) {
      if (byte < this.low || byte > this.high) return false;
      this.missing -= 1;
      this.low = CONTINUATION_MIN;
      this.high = CONTINUATION_MAX;
      return true;
    }
    if (byte < 0x80) return true;
    // C0 and C1 could only begin overlong forms of ASCII, F5 and above lie beyond 10FFFF, 80-BF begin nothing.
    if (byte < 0xc2 || byte > 0xf4) return false;
    if (byte < 0xe0) {
      this.missing = 1;
    } else if (byte < 0xf0) {
      this.missing = 2;
      if (byte === 0xe0) this.low = 0xa0;
      else if (byte === 0xed) this.high = 0x9f;
    } else {
      this.missing = 3;
      if (byte === 0xf0) this.low = 0x90;
      else if (byte === 0xf4) this.high = 0x8f;
    }
    return true;
  }
}

/** The byte of the turned key for the byte `distance` behind the start, in the low eight bits. */
function maskAt(turned: number, distance: number): number {
  return turned >>> ((~distance & 3) << 3);
}

/** The first index of `[at, end)` whose byte, unmasked, is not ASCII, or `end`. `at` is `distance` behind the start. */
function skipAscii(bytes: Uint8Array, at: number, end: number, turned: number, distance: number): number {
  const a = maskAt(turned, distance);
  if (((bytes[at]! ^ a) & 0x80) !== 0) return at; // at < end
  const b = maskAt(turned, distance + 1);
  const c = maskAt(turned, distance + 2);
  const d = maskAt(turned, distance + 3);
  let index = at;
  // Eight bytes a step: only the top bit of any of them can say no. `last` leaves room for the eight.
  const last = Math.min(end, at + WORDS_AFTER) - 8;
  for (; index <= last; index += 8) {
    const even = (bytes[index]! ^ a) | (bytes[index + 4]! ^ a) | (bytes[index + 2]! ^ c) | (bytes[index + 6]! ^ c);
    const odd = (bytes[index + 1]! ^ b) | (bytes[index + 5]! ^ b) | (bytes[index + 3]! ^ d) | (bytes[index + 7]! ^ d);
    if (((even | odd) & 0x80) !== 0) break;
  }
  if (index > last && end - index >= WORDS_MIN)
    index = skipAsciiWords(bytes, index, end, turned, distance + index - at);
  while (index < end && ((bytes[index]! ^ maskAt(turned, distance + index - at)) & 0x80) === 0) index += 1;
  return index;
}

/** As far as whole words of ASCII go: 16 bytes a step, for a view that is only worth making for long runs. */
function skipAsciiWords(bytes: Uint8Array, at: number, end: number, turned: number, distance: number): number {
  if (!LITTLE_ENDIAN) return at;
  let index = at;
  for (; ((bytes.byteOffset + index) & 3) !== 0; index += 1) {
    // WORDS_MIN bytes are here, so three of them are.
    if (((bytes[index]! ^ maskAt(turned, distance + index - at)) & 0x80) !== 0) return index;
  }
  const moved = distance + index - at;
  const low = (maskAt(turned, moved) & 0xff) | ((maskAt(turned, moved + 1) & 0xff) << 8);
  const high = (maskAt(turned, moved + 2) & 0xff) | ((maskAt(turned, moved + 3) & 0xff) << 8);
  const key = low | (high << 16);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + index, (end - index) >> 2);
  let word = 0;
  for (const last = words.length - 4; word <= last; word += 4) {
    const first = (words[word]! ^ key) | (words[word + 1]! ^ key);
    const second = (words[word + 2]! ^ key) | (words[word + 3]! ^ key); // word <= last
    if (((first | second) & 0x80808080) !== 0) break;
  }
  return index + word * 4;
}

/**
 * Take whole characters above ASCII while all of their bytes are here and right. What is wrong or may be cut off is
 * left where it begins, for the table to judge byte by byte.
 */
function skipWhole(bytes: Uint8Array, at: number, end: number, turned: number, distance: number): number {
  let index = at;
  for (const last = end - 4; index <= last; ) {
    const phase = distance + index - at;
    const lead = (bytes[index]! ^ maskAt(turned, phase)) & 0xff;
    if (lead < 0xc2) return index;
    const second = (bytes[index + 1]! ^ maskAt(turned, phase + 1)) & 0xff;
    if ((second & 0xc0) !== 0x80) return index; // index <= last: four bytes are here
    if (lead < 0xe0) {
      index += 2;
      continue;
    }
    const third = (bytes[index + 2]! ^ maskAt(turned, phase + 2)) & 0xff;
    if ((third & 0xc0) !== 0x80) return index;
    /** The upper bits of the character, without those of its last byte or two. */
    const bits = ((lead & 0x0f) << 6) | (second & 0x3f);
    if (lead < 0xf0) {
      // Below 800 it is overlong, D800 to DFFF are surrogates.
      if (bits < 0x20 || (bits >= 0x360 && bits <= 0x37f)) return index;
      index += 3;
      continue;
    }
    const fourth = (bytes[index + 3]! ^ maskAt(turned, phase + 3)) & 0xff;
    // Below 10000 it is overlong, above 10FFFF it is no character; F5 and above are caught by the same bound.
    if (bits < 0x10 || bits > 0x10f || (fourth & 0xc0) !== 0x80) return index;
    index += 4;
  }
  return index;
}
