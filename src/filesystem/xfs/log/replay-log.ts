import type { XfsVolume } from '../volume.ts';
import type { LogRecord } from './log-record.ts';
import { lastRecord, recordsBefore } from './log-records.ts';
import { LogRing } from './log-ring.ts';
import { type LogItem, LogTransactions } from './log-transactions.ts';
import { decodeBuffer, type LoggedBuffer, replayBuffer } from './logged-buffer.ts';
import { decodeLoggedInode, replayInode } from './logged-inode.ts';
import { decodeLoggedInodes, type LoggedInodes, replayInodes } from './logged-inodes.ts';
import { ReplayedBlocks } from './replayed-blocks.ts';

const items = { inode: 0x123b, buffer: 0x123c, inodes: 0x123f } as const;
/** In bytes. */
const smallCluster = 8192;
const smallestInode = 256;
const unmountFlag = 0x20;
/** How often the end of the log may turn out to be before where it was looked for. */
const mostAttempts = 8;

/** What a log is: whether the last thing in it is an unmount, and else the blocks that it changes, by number. */
export type LogContent =
  | { readonly isUnmounted: true }
  | { readonly isUnmounted: false; readonly blocks: ReadonlyMap<number, Uint8Array> };

/**
 * Reads the log. What was begun in it and goes on in further transactions (freeing extents, sharing them) is as far as it
 * got: files are whole, and their blocks accounted for only by whoever mounts it.
 *
 * Source: Linux, fs/xfs/xfs_log_recover.c (the order in which things are done).
 * @throws VarveError `CORRUPT`; `UNSUPPORTED`
 */
export async function readLog(volume: XfsVolume): Promise<LogContent> {
  const { logStart, logBlocks, unknownLogFeatures } = volume.superblock;
  const none: LogContent = { isUnmounted: false, blocks: new Map() };
  // On another disk.
  if (logStart === 0 || logBlocks === 0) return none;
  const ring = new LogRing(volume);
  const last = await lastRecord(ring);
  if (last === undefined) return none;
  if (isUnmount(last)) return last.end === (await ring.head()) ? { isUnmounted: true } : none;
  if (unknownLogFeatures === 0) return { isUnmounted: false, blocks: await replay(volume, ring, last) };
  const features = `0x${unknownLogFeatures.toString(16)}`;
  throw volume.unsupported(`its log, which was not written back, has features (${features}) that are not known here`);
}

function isUnmount({ operationCount, data }: LogRecord): boolean {
  return operationCount === 1 && data.byteLength >= 12 && (data.getUint8(9) & unmountFlag) !== 0;
}

async function replay(volume: XfsVolume, ring: LogRing, last: LogRecord): Promise<ReadonlyMap<number, Uint8Array>> {
  let end = last;
  let cancelled = new Map<string, number>();
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    cancelled = new Map();
    let newest: LogRecord | undefined;
    const transactions = new LogTransactions();
    for await (const record of recordsBefore(ring, end)) {
      newest = record;
      for (const transaction of transactions.committedIn(record)) countCancelled(transaction, cancelled);
    }
    if (newest === undefined || newest.place === end.place) break;
    end = newest;
  }
  const blocks = new ReplayedBlocks(volume);
  const transactions = new LogTransactions();
  for await (const record of recordsBefore(ring, end)) {
    for (const transaction of transactions.committedIn(record)) {
      await replayTransaction(volume, blocks, { transaction, cancelled });
    }
  }
  return blocks.blocks;
}

const keyOf = ({ place, length }: { readonly place: number; readonly length: number }) => `${place}+${length}`;

function countCancelled(transaction: readonly LogItem[], cancelled: Map<string, number>): void {
  for (const item of transaction) {
    const buffer = item.type === items.buffer ? decodeBuffer(item) : undefined;
    if (buffer?.isCancelled) cancelled.set(keyOf(buffer), (cancelled.get(keyOf(buffer)) ?? 0) + 1);
  }
}

interface Replay {
  readonly transaction: readonly LogItem[];
  /** How often each buffer will be gone from here on. */
  readonly cancelled: Map<string, number>;
}

/** Buffers come first, then inodes, and then what is gone, whatever their order. */
async function replayTransaction(volume: XfsVolume, blocks: ReplayedBlocks, replay: Replay): Promise<void> {
  const { transaction, cancelled } = replay;
  const gone: LoggedBuffer[] = [];
  for (const item of transaction) {
    if (item.type === items.buffer) {
      const buffer = decodeBuffer(item);
      if (buffer?.isCancelled) gone.push(buffer);
      else if (buffer !== undefined && !buffer.isIgnored && !cancelled.has(keyOf(buffer))) {
        await replayBuffer(volume, blocks, buffer);
      }
    } else if (item.type === items.inodes) {
      const made = decodeLoggedInodes(volume, item);
      if (made !== undefined && !areGone(volume, made, cancelled)) await replayInodes(volume, blocks, made);
    }
  }
  for (const item of transaction) {
    const inode = item.type === items.inode ? decodeLoggedInode(item) : undefined;
    if (inode !== undefined && !cancelled.has(keyOf(inode.buffer))) await replayInode(volume, blocks, inode);
  }
  for (const buffer of gone) {
    const left = (cancelled.get(keyOf(buffer)) ?? 1) - 1;
    if (left > 0) cancelled.set(keyOf(buffer), left);
    else cancelled.delete(keyOf(buffer));
  }
}

/** Whether some inodes will be gone: they go in clusters of a block, of 8 KiB, or of as many inodes of any size. */
function areGone(volume: XfsVolume, made: LoggedInodes, cancelled: Replay['cancelled']): boolean {
  const { blockSize, inodeSize } = volume.superblock;
  const isGone = (cluster: number) => {
    for (let place = made.place; place < made.place + made.length; place += cluster) {
      if (cancelled.has(keyOf({ place, length: cluster }))) return true;
    }
    return false;
  };
  return [blockSize, smallCluster, (smallCluster * inodeSize) / smallestInode].some(isGone);
}
