// What happens with the bytes of one side of a session. Names only.

/** What happens with the bytes a peer sends. */
export const Flow = {
  /** Frames that pass go on to the other end. */
  Relay: 0,
  /** Only the rest of the frame that is half relayed goes on: the other end gets our Close behind it. */
  Tail: 1,
  /** Nothing goes on; frames are still followed, to see the peer's Close. */
  Watch: 2,
  /** Nothing goes on and nothing is looked at: after the peer's Close (RFC 6455 5.5.1), its violation, or our fault. */
  Discard: 3,
} as const;
export type Flow = (typeof Flow)[keyof typeof Flow];
