import { basename } from 'node:path';
import { VarveError } from '../base/varve-error.ts';
import { nameFromHex, sameName } from './chunk.ts';
import { nameOf } from './hash.ts';
import {
  checkPackHeader,
  decodePackFooter,
  decodePackIndex,
  type PackEntry,
  packFooterLength,
  packHeaderLength,
} from './pack-format.ts';
import type { PackStore } from './pack-store.ts';

/** No pack of ours comes near it, and an index is read whole. */
const maximumIndexLength = 256 * 1024 * 1024;

/** A pack as its own footer and index describe it. */
export interface PackIndex {
  readonly name: Uint8Array;
  /** The file's size in bytes. */
  readonly size: number;
  readonly entries: readonly PackEntry[];
}

/** The name of the pack that is kept under `key`; `undefined` for a key that is no pack's. */
export function packNameOf(key: string): Uint8Array | undefined {
  return key.endsWith('.pack') ? nameFromHex(basename(key, '.pack')) : undefined;
}

/** Reads a pack's header, footer and index. @throws NOT_FOUND, CORRUPT */
export async function readPackIndex(packs: PackStore, key: string): Promise<PackIndex> {
  const name = packNameOf(key);
  if (name === undefined) throw new VarveError('CORRUPT', `${key}: is not named as a pack`);
  const size = await packs.size(key);
  if (size < packHeaderLength + packFooterLength) throw new VarveError('CORRUPT', `${key}: ${size} bytes are no pack`);
  const read = async (offset: number, length: number) => {
    const bytes = new Uint8Array(length);
    await packs.read(key, bytes, offset);
    return bytes;
  };
  checkPackHeader(await read(0, packHeaderLength), key);
  const footer = decodePackFooter(await read(size - packFooterLength, packFooterLength), size, key);
  if (footer.indexLength > maximumIndexLength) {
    throw new VarveError('CORRUPT', `${key}: an index of ${footer.indexLength} bytes is out of all proportion`);
  }
  const index = await read(footer.indexOffset, footer.indexLength);
  const actual = nameOf(index);
  if (!sameName(actual, footer.indexName) || !sameName(actual, name)) {
    throw new VarveError('CORRUPT', `${key}: the index does not have the pack's name`);
  }
  return { name, size, entries: decodePackIndex(index, footer.indexOffset, key) };
}
