// How much one socket gets of a turn of the event loop before the others have theirs. Bytes alone do not tell: 256 KiB
// are four frames or a hundred thousand.

/** Where libuv itself would go on to 2 MiB. */
export const TURN_BYTES = 262_144;
/** Steps of work with these bytes, such as frames: about 0.1 ms. */
export const TURN_STEPS = 2_000;
