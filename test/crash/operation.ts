/** What a worker does to a store: images and snapshots by name and number, contents by the seed of their disk. */
export type Operation =
  | { readonly kind: 'import'; readonly image: string; readonly seed: number }
  | { readonly kind: 'update'; readonly image: string; readonly seed: number }
  | { readonly kind: 'snapshot'; readonly image: string }
  | { readonly kind: 'clone'; readonly image: string; readonly number: number; readonly to: string }
  | { readonly kind: 'remove snapshots'; readonly image: string; readonly numbers: readonly number[] }
  | { readonly kind: 'remove image'; readonly image: string }
  | { readonly kind: 'rename'; readonly image: string; readonly to: string }
  | { readonly kind: 'tag'; readonly image: string; readonly number: number; readonly tag: string }
  | { readonly kind: 'describe'; readonly image: string; readonly number: number; readonly message: string }
  | { readonly kind: 'collect' };

/** A line that a worker writes: before it begins with an operation, and after that came back. */
export type Report =
  | { readonly begin: Operation }
  /** `doneNs`: when, on the clock that all processes of the machine share. */
  | { readonly doneNs: number }
  | { readonly failed: string; readonly message: string; readonly isHarmless: boolean };
