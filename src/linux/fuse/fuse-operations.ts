import type { FuseEntry, FuseName } from './directory-codec.ts';
import type { FuseAttributes, FuseStatistics } from './reply-codec.ts';
import type { AllocateRequest, SetAttributesRequest } from './request-codec.ts';

/** What may be done when it returns, so that whoever asks need not wait. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * What a file system answers: the session below knows the protocol, this knows the files. Offsets and lengths are bytes,
 * files are named by their nodes (the root is 1). Failures are thrown or rejected as `VarveError`, whose codes have
 * their errno in `fuse-errno.ts`.
 */
export interface FuseOperations {
  attributes(node: number): MaybePromise<FuseAttributes>;
  /**
   * `openFlags` of the protocol. Where it is left out the kernel opens and closes files without asking, and keeps what it has
   * read of them.
   */
  open?(node: number): MaybePromise<number>;
  /** Fills `target` from `offset` as far as the file goes; how many bytes there were. */
  read(node: number, target: Uint8Array, offset: number): MaybePromise<number>;
  /** Where the next data, or hole, begins; undefined where none follows. */
  seek(node: number, offset: number, kind: 'data' | 'hole'): MaybePromise<number | undefined>;
  /** Of the file system that a file is in. */
  statistics(node: number): MaybePromise<FuseStatistics>;
  /** Left out where nothing can be written. */
  readonly writing?: FuseWriting;
  /** Left out where the root is a file, and all there is. */
  readonly tree?: FuseTree;
}

/** What a file system answers that can be written to. */
export interface FuseWriting {
  /** What it is afterwards; what cannot be changed fails. */
  setAttributes(node: number, change: SetAttributesRequest): MaybePromise<FuseAttributes>;
  /** `source` belongs to the callee until it is done. How many bytes were written. */
  write(node: number, source: Uint8Array, offset: number): MaybePromise<number>;
  /** Returns when what was written before would survive a power cut. */
  sync(node: number): MaybePromise<void>;
  /** As fallocate(2) does. */
  allocate(node: number, request: AllocateRequest): MaybePromise<void>;
}

/** What a file system answers that has directories. What a node stands for stays, also when the kernel has forgotten it. */
export interface FuseTree {
  /** Whether the kernel decides by modes and access control lists who may do what; otherwise its user may do all. */
  readonly checksAccess: boolean;
  /** `name` is only lent. Undefined for no such file. */
  lookup(directory: number, name: Uint8Array): MaybePromise<FuseEntry | undefined>;
  /** The names in a directory, `.` and `..` first; the same each time. */
  list(directory: number): MaybePromise<FuseListing>;
  /** What a symlink holds. */
  readLink(node: number): MaybePromise<Uint8Array>;
  /** The extended attributes with their whole names. */
  extendedAttributes(node: number): MaybePromise<ReadonlyMap<string, Uint8Array>>;
}

/** What a directory holds. */
export interface FuseListing {
  readonly length: number;
  /** How long a name is, in bytes. */
  nameLength(index: number): number;
  /** A name, and what it stands for. It never fails. */
  at(index: number): MaybePromise<FuseName>;
}
