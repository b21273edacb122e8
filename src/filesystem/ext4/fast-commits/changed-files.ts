import type { DirectoryEntry } from '../../file-system.ts';
import type { ExtentList } from './extent-list.ts';

/** What names of a directory stand for now: those of its blocks but for these. */
export interface ChangedDirectory {
  /** Of one that is new, which has no blocks that are read; its names are all here. */
  readonly parent: number | undefined;
  /** By `nameKey`; undefined for one that is gone. */
  readonly names: Map<string, DirectoryEntry | undefined>;
}

/** What fast commits have changed that no block of the disk shows. */
export interface ChangedFiles {
  /** By inode: where its blocks are. */
  readonly extents: ReadonlyMap<number, ExtentList>;
  /** By inode. */
  readonly directories: ReadonlyMap<number, ChangedDirectory>;
}

/** The bytes of a name as a key. */
export function nameKey(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
}
