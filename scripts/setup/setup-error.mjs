/** A step of the set-up that failed for a reason outside of it; the message says what to do. */
export class SetupError extends Error {}
