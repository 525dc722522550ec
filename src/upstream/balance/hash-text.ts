// 32 bits of a text that are the same wherever framegate runs. They are no secret: whoever chooses its key chooses its
// target.

/** FNV-1a over the bytes of latin1 text (code units of any other), with the last step of MurmurHash3. */
export function hashText(text: string, seed: number): number {
  let hash = seed ^ 0x811c_9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}
