/** One way to go on with a word, and what it means. */
export interface Proposal {
  readonly value: string;
  readonly description: string;
}

/** What there is to choose from; with `files`, the shell completes names of files where nothing else fits. */
export interface Proposals {
  readonly proposals: readonly Proposal[];
  readonly files: boolean;
}
