import type { Qcow2Header } from '../../format/qcow2/header.ts';

/** What shows whether a change was applied, and is enough to apply it: all else is durable beside or in the file. */
export type StagedRecord =
  /** The name of the file that is to take the place of the one beside it. */
  | { readonly kind: 'copy'; readonly copy: string }
  /** Where the header of a qcow2 image points to now, and what it is to say. */
  | {
      readonly kind: 'header';
      readonly before: number;
      readonly after: Pick<Qcow2Header, 'size' | 'l1Size' | 'l1TableOffset'>;
    };

/** A change of a disk file that is made and durable, and that nobody sees yet. Disposing of it closes what it has open. */
export interface StagedChange extends AsyncDisposable {
  readonly record: StagedRecord;
  /** Lets it be seen, in one step and durably. */
  apply(): Promise<void>;
  /** Gives back the space of what it replaced. */
  release(): Promise<void>;
  /** Gives it up, instead of applying it. */
  drop(): Promise<void>;
}
