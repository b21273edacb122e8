import type { FileStat, FileSystem } from '../filesystem/file-system.ts';

/** In what a file differs from what it was. `attributes` are the extended ones, `times` when its content was changed. */
export type Difference = 'kind' | 'content' | 'mode' | 'owner' | 'device' | 'attributes' | 'times';

/** A file on one side of a comparison. */
export interface ComparedFile {
  readonly path: string;
  readonly fileSystem: FileSystem;
  readonly node: number;
  readonly stat: FileStat;
}

/** What became of a file. */
export interface FileChange {
  readonly kind: 'added' | 'deleted' | 'modified' | 'renamed';
  /** Where it is; where it was, if it is gone. Bytes that are no UTF-8 are lone surrogates (`textOf`). */
  readonly path: string;
  /** Empty for what was added, deleted, or renamed and nothing else. */
  readonly differences: readonly Difference[];
  /** Undefined for what was added. */
  readonly before?: ComparedFile | undefined;
  /** Undefined for what was deleted. */
  readonly after?: ComparedFile | undefined;
}
