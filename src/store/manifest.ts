import { VarveError } from '../base/varve-error.ts';
import { hexOf, nameFromHex } from './chunk.ts';
import { nameOf } from './hash.ts';
import { isImageName } from './image-name.ts';
import { isUuid } from './image-record.ts';

/** What making a snapshot cost: bytes of content that is not zero, of it new to the store, and what that took on disk. */
export interface SnapshotStatistics {
  readonly dataLength: number;
  readonly addedLength: number;
  readonly storedLength: number;
}

/** One snapshot as it was made, kept for ever in `snapshots/<id>.json`; its id is the BLAKE3-256 of that file. */
export interface Manifest {
  readonly image: { readonly uuid: string; readonly name: string };
  readonly number: number;
  /** The name of the content's root record. */
  readonly root: Uint8Array;
  /** The disk's size in bytes. */
  readonly size: number;
  /** The id of the snapshot it was made from. */
  readonly parent: Uint8Array | undefined;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly message: string;
  readonly author: string;
  readonly statistics: SnapshotStatistics;
  /** Which rewriting of the image's history made it; it counts where the image's record lists that. */
  readonly rewrite?: string | undefined;
}

/** The key of a manifest among the store's objects. */
export function manifestKey(id: Uint8Array): string {
  return `snapshots/${hexOf(id)}.json`;
}

/** The file of a manifest; its `nameOf` is the snapshot's id. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const { statistics } = manifest;
  const json = {
    varve: 'snapshot',
    version: 1,
    image: manifest.image,
    number: manifest.number,
    root: hexOf(manifest.root),
    size: manifest.size,
    parent: manifest.parent === undefined ? null : hexOf(manifest.parent),
    time: new Date(manifest.time).toISOString(),
    message: manifest.message,
    author: manifest.author,
    statistics: {
      data_length: statistics.dataLength,
      added_length: statistics.addedLength,
      stored_length: statistics.storedLength,
    },
    ...(manifest.rewrite !== undefined && { rewrite: manifest.rewrite }),
  };
  return Buffer.from(`${JSON.stringify(json, null, 2)}\n`);
}

/** @throws CORRUPT when the bytes are not the manifest that `id` names */
export function decodeManifest(bytes: Uint8Array, id: Uint8Array, what: string): Manifest {
  if (Buffer.compare(nameOf(bytes), id) !== 0) throw corrupt(what, 'its content does not have its name');
  const json = parse(bytes, what);
  const image = object(json.image, 'image', what);
  const statistics = object(json.statistics, 'statistics', what);
  if (json.varve !== 'snapshot') throw corrupt(what, 'it is no snapshot');
  if (json.version !== 1)
    throw new VarveError('UNSUPPORTED', `${what}: version ${json.version} is newer than this Varve`);
  return {
    image: { uuid: uuid(image.uuid, what), name: nameOfImage(image.name, what) },
    number: number(json.number, what),
    root: name(json.root, 'root', what),
    size: count(json.size, 'size', what),
    parent: json.parent === null ? undefined : name(json.parent, 'parent', what),
    time: time(json.time, what),
    message: text(json.message, 'message', what),
    author: text(json.author, 'author', what),
    statistics: {
      dataLength: count(statistics.data_length, 'statistics.data_length', what),
      addedLength: count(statistics.added_length, 'statistics.added_length', what),
      storedLength: count(statistics.stored_length, 'statistics.stored_length', what),
    },
    ...(json.rewrite !== undefined && { rewrite: text(json.rewrite, 'rewrite', what) }),
  };
}

function parse(bytes: Uint8Array, what: string): Record<string, unknown> {
  try {
    return object(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)), 'it', what);
  } catch (cause) {
    if (cause instanceof VarveError) throw cause;
    throw corrupt(what, 'it is no JSON', cause);
  }
}

function object(value: unknown, field: string, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw corrupt(what, `${field} is no object`);
}

function text(value: unknown, field: string, what: string): string {
  if (typeof value === 'string') return value;
  throw corrupt(what, `${field} is no text`);
}

function uuid(value: unknown, what: string): string {
  if (isUuid(value)) return value;
  throw corrupt(what, 'image.uuid is no UUID');
}

function nameOfImage(value: unknown, what: string): string {
  const name = text(value, 'image.name', what);
  if (isImageName(name)) return name;
  throw corrupt(what, 'image.name cannot name an image');
}

function number(value: unknown, what: string): number {
  if (count(value, 'number', what) > 0) return value as number;
  throw corrupt(what, 'snapshots are numbered from 1');
}

function count(value: unknown, field: string, what: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw corrupt(what, `${field} is no whole number`);
}

function name(value: unknown, field: string, what: string): Uint8Array {
  const bytes = nameFromHex(text(value, field, what));
  if (bytes !== undefined) return bytes;
  throw corrupt(what, `${field} is no name`);
}

function time(value: unknown, what: string): number {
  const milliseconds = Date.parse(text(value, 'time', what));
  if (Number.isFinite(milliseconds)) return milliseconds;
  throw corrupt(what, 'time is no date');
}

function corrupt(what: string, why: string, cause?: unknown): VarveError {
  return new VarveError('CORRUPT', `${what}: ${why}`, { cause });
}
