/** What becomes of a machine's overlay when it boots again: it is dropped, or kept. */
export type OverlayPolicy = 'discard' | 'keep';
