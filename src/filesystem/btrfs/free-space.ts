/*
 * What is in use is in the tree of extents: data by its address and its length (EXTENT_ITEM), blocks of trees too, or by their
 * address and their level (METADATA_ITEM). Items of block groups, by their address and length, are there, or in a tree of
 * their own; little-endian:
 *
 *   byte   0  used (64 bit)     8  chunk_objectid (64 bit)     16  flags (64 bit)
 *
 * Source: btrfs.readthedocs.io, "On-disk format", EXTENT_ITEM, METADATA_ITEM, BLOCK_GROUP_ITEM.
 */
import { IntervalSet } from '../../bytes/interval-set.ts';
import type { Chunk } from './chunk.ts';
import { stripeUnit } from './chunk.ts';
import type { Forest } from './forest.ts';
import { itemTypes, largestOffset, objectIds } from './key.ts';
import { u64 } from './little-endian.ts';
import { superblockPlaces } from './superblock.ts';
import type { Item, ItemTree } from './tree.ts';

/** What is at the start of a device is nobody's (BTRFS_DEVICE_RANGE_RESERVED), in bytes. */
const reservedLength = 1 << 20;

/** A range of addresses that is in use. */
interface Extent {
  readonly start: number;
  readonly end: number;
}

/**
 * The ranges of the device in which nothing is, in bytes: outside of chunks, and where no extent is in them. What is in use is
 * counted against what block groups and superblock say.
 *
 * @throws VarveError `CORRUPT`
 */
export async function freeSpaceOf(forest: Forest): Promise<IntervalSet> {
  const { volume } = forest;
  const used = await usedByChunk(forest);
  const free = outsideOfChunks(forest);
  for (const chunk of volume.chunks.chunks) giveBack(forest, { chunk, extents: used.get(chunk) ?? [], free });
  for (const { offset, end } of keptRanges(forest)) free.remove(offset, end);
  return free;
}

/**
 * How long these ranges are together, in bytes, by what block groups say is used of them, without a look at all extents.
 *
 * @throws VarveError `CORRUPT`
 */
export async function freeLengthOf(forest: Forest): Promise<number> {
  const { chunks, superblock } = forest.volume;
  const kept = keptRanges(forest);
  const tree = await neededTree(forest, superblock.hasBlockGroupTree ? objectIds.blockGroupTree : objectIds.extentTree);
  let inChunks = 0;
  for (const chunk of chunks.chunks) {
    const ranges = chunks.rangesOf(chunk).filter(({ length }) => length === chunk.length);
    // What the file systems of the past put there is not known without its extents.
    if (ranges.some(({ offset }) => offset < reservedLength)) return (await freeSpaceOf(forest)).totalLength;
    const sums = new Map<number, number>();
    const key = { objectid: chunk.start, type: itemTypes.blockGroup, offset: chunk.length };
    const view = await tree.find(key);
    if (view !== undefined) addBlockGroup(forest, { key, view }, sums);
    const used = sums.get(chunk.start) ?? Number.NaN;
    if (!(used <= chunk.length))
      throw forest.volume.corrupt(`the block group at address ${chunk.start} is not in order`);
    for (const { offset, length } of ranges) {
      inChunks += length - used;
      for (const part of kept.intersect(offset, offset + length)) inChunks -= part.end - part.offset;
    }
  }
  return Math.max(0, outsideOfChunks(forest).difference(kept).totalLength + inChunks);
}

/** What no chunk takes of the device. */
function outsideOfChunks({ volume }: Forest): IntervalSet {
  const free = new IntervalSet([{ offset: 0, end: volume.superblock.deviceSize }]);
  for (const chunk of volume.chunks.chunks) {
    for (const { offset, length } of volume.chunks.rangesOf(chunk)) {
      if (!free.has(offset, offset + length)) {
        throw volume.corrupt(`chunk ${chunk.start} shares byte ${offset} or what follows with another one`);
      }
      free.remove(offset, offset + length);
    }
  }
  return free;
}

/** What is never given out: where a superblock is in a chunk, nothing is put into the chunk's other copies either. */
function keptRanges({ volume }: Forest): IntervalSet {
  const kept = new IntervalSet([{ offset: 0, end: reservedLength }]);
  for (const place of superblockPlaces) {
    kept.add(place, place + stripeUnit);
    for (const chunk of volume.chunks.chunks) {
      const ranges = volume.chunks.rangesOf(chunk);
      const hit = ranges.find(({ offset, length }) => place >= offset && place < offset + length);
      if (hit === undefined) continue;
      for (const { offset, length } of ranges) {
        const copy = offset + place - hit.offset;
        kept.add(copy, Math.min(copy + stripeUnit, offset + length));
      }
    }
  }
  return kept;
}

/** Adds what is free of a chunk; where its bytes are spread over several stripes, all of it counts as used. */
function giveBack(
  { volume }: Forest,
  { chunk, extents, free }: { readonly chunk: Chunk; readonly extents: readonly Extent[]; readonly free: IntervalSet },
): void {
  for (const { offset, length } of volume.chunks.rangesOf(chunk)) {
    if (length !== chunk.length) continue;
    const toPlace = offset - chunk.start;
    let position = chunk.start;
    for (const { start, end } of extents) {
      if (start > position) free.add(position + toPlace, start + toPlace);
      position = end;
    }
    free.add(position + toPlace, chunk.start + chunk.length + toPlace);
  }
}

/** The extents of each chunk, in order. */
async function usedByChunk(forest: Forest): Promise<Map<Chunk, Extent[]>> {
  const { volume } = forest;
  const tree = await neededTree(forest, objectIds.extentTree);
  const found = new Map<Chunk, Extent[]>();
  const sums = new Map<number, number>();
  let last: Extent = { start: 0, end: 0 };
  for await (const item of allItems(tree)) {
    if (item.key.type === itemTypes.blockGroup) addBlockGroup(forest, item, sums);
    const extent = extentOf(item, volume.superblock.nodeSize);
    if (extent === undefined) continue;
    const chunk = volume.chunks.find(extent.start);
    const isInside = chunk !== undefined && extent.end > extent.start && extent.end <= chunk.start + chunk.length;
    if (!isInside || extent.start < last.end) {
      throw volume.corrupt(`the extent at address ${extent.start} is in no chunk, or in another extent`);
    }
    last = extent;
    const extents = found.get(chunk);
    if (extents === undefined) found.set(chunk, [extent]);
    else if (extents.at(-1)!.end === extent.start) extents.push({ start: extents.pop()!.start, end: extent.end });
    else extents.push(extent);
  }
  if (volume.superblock.hasBlockGroupTree) {
    const groups = await neededTree(forest, objectIds.blockGroupTree);
    for await (const item of allItems(groups)) addBlockGroup(forest, item, sums);
  }
  checkSums(forest, found, sums);
  return found;
}

function allItems(tree: ItemTree): AsyncIterable<Item> {
  const first = { objectid: 0, type: 0, offset: 0 };
  return tree.items(first, { objectid: -1, type: 255, offset: largestOffset });
}

function extentOf({ key }: Item, nodeSize: number): Extent | undefined {
  const { objectid: start, type, offset } = key;
  if (type === itemTypes.metadata) return { start, end: start + nodeSize };
  return type === itemTypes.extent ? { start, end: start + offset } : undefined;
}

function addBlockGroup({ volume }: Forest, { key, view }: Item, sums: Map<number, number>): void {
  if (key.type !== itemTypes.blockGroup) return;
  const chunk = volume.chunks.find(key.objectid);
  if (chunk?.start !== key.objectid || chunk.length !== key.offset || view.byteLength < 24) {
    throw volume.corrupt(`the block group at address ${key.objectid} has no chunk`);
  }
  sums.set(chunk.start, u64(view, 0));
}

function checkSums({ volume }: Forest, found: Map<Chunk, Extent[]>, sums: Map<number, number>): void {
  let total = 0;
  for (const chunk of volume.chunks.chunks) {
    const used = (found.get(chunk) ?? []).reduce((sum, { start, end }) => sum + end - start, 0);
    const said = sums.get(chunk.start);
    if (said !== used) {
      const what = `the block group at address ${chunk.start}`;
      throw volume.corrupt(`${what} says that ${said ?? 'nothing'} is in use of it, and extents take ${used} bytes`);
    }
    total += used;
  }
  const { bytesUsed } = volume.superblock;
  if (total === bytesUsed) return;
  throw volume.corrupt(`the superblock says that ${bytesUsed} bytes are in use, and extents take ${total}`);
}

async function neededTree(forest: Forest, id: number): Promise<ItemTree> {
  const tree = await forest.tree(id);
  if (tree === undefined) throw forest.volume.corrupt(`there is no tree ${id}`);
  return tree;
}
