import type { FileTree } from '../guest-tree/file-place.ts';

/** The files that a client finds, open to be read. Disposing closes them. */
export interface NfsTree extends FileTree, AsyncDisposable {}

/** Files that can be mounted, all of which stay as they are. */
export interface NfsExport {
  /** 32 bytes that no other content has: clients' file handles hold on to them, also when the server was started again. */
  readonly id: Uint8Array;
  /** Called when somebody wants them; the server closes what nobody has used for a while. */
  open(): Promise<NfsTree>;
}

/** What can be mounted. */
export interface NfsExports {
  /** The export of a name, which is a path without the `/` in front: `web@3`. Undefined where there is none. */
  find(name: string): Promise<NfsExport | undefined>;
  /** The export that a client has mounted before, by its id; undefined where it is no more. */
  withId(id: Uint8Array): Promise<NfsExport | undefined>;
  /** The names, for `showmount -e`. */
  list(): Iterable<string>;
}
