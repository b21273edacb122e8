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
  /** What it is afterwards; what cannot be changed fails. */
  setAttributes(node: number, change: SetAttributesRequest): MaybePromise<FuseAttributes>;
  /** `openFlags` of the protocol. */
  open(node: number): MaybePromise<number>;
  /** Fills `target` from `offset` as far as the file goes; how many bytes there were. */
  read(node: number, target: Uint8Array, offset: number): MaybePromise<number>;
  /** `source` belongs to the callee until it is done. How many bytes were written. */
  write(node: number, source: Uint8Array, offset: number): MaybePromise<number>;
  /** Returns when what was written before would survive a power cut. */
  sync(node: number): MaybePromise<void>;
  /** As fallocate(2) does. */
  allocate(node: number, request: AllocateRequest): MaybePromise<void>;
  /** Where the next data, or hole, begins; undefined where none follows. */
  seek(node: number, offset: number, kind: 'data' | 'hole'): MaybePromise<number | undefined>;
  statistics(): MaybePromise<FuseStatistics>;
}
