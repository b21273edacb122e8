import type { MaybePromise } from '../block/block-device.ts';

/** A stored object and its size in bytes. */
export interface ObjectEntry {
  readonly key: string;
  readonly size: number;
}

/** An object that is being written. It exists for readers once `commit` is done, and never if that is not called. */
export interface NewObject extends AsyncDisposable {
  /** Bytes written so far. */
  readonly size: number;
  /** Appends; the parts belong to the caller again when this is done. */
  append(parts: readonly Uint8Array[]): MaybePromise<void>;
  /** Makes it durable under `key`, which nobody else may use: the name of a pack is unique. */
  commit(key: string): Promise<void>;
}

/**
 * A place for immutable objects: a directory, a bucket. Keys are relative paths of plain names:
 * `packs/ab/<id>.pack`, `snapshots/<id>.json`.
 */
export interface PackStore extends AsyncDisposable {
  create(): MaybePromise<NewObject>;
  /** Creates a small object, durably, unless the key is taken: then the answer is `false`. */
  createIfAbsent(key: string, bytes: Uint8Array): MaybePromise<boolean>;
  /** Creates a small object, durably, or replaces it whole. */
  replace(key: string, bytes: Uint8Array): MaybePromise<void>;
  /** Fills all of `target` from `offset`. @throws NOT_FOUND, or CORRUPT when the object ends before. */
  read(key: string, target: Uint8Array, offset: number): MaybePromise<void>;
  /** @throws NOT_FOUND */
  size(key: string): MaybePromise<number>;
  /** The objects whose keys start with the folder `prefix`, in no order. */
  list(prefix: string): Iterable<ObjectEntry> | AsyncIterable<ObjectEntry>;
  /** Deleting what is not there is fine. */
  delete(key: string): MaybePromise<void>;
}
