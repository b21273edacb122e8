import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { formatSize } from '../../base/size.ts';
import { systemError, VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { isResizable } from '../../block/block-device.ts';
import { openFileDevice } from '../../block/file-device.ts';
import { zeroRuns } from '../../format/zero-runs.ts';
import { freeSpace } from '../../linux/free-space.ts';
import { takePlace } from './file-places.ts';
import type { MergedContent } from './merged-content.ts';
import { pieces, totalLength } from './own-ranges.ts';
import type { StagedChange } from './staged-change.ts';

/** How content is committed to a raw file. */
export interface CommitRawOptions {
  /** Called with how many bytes were dealt with more. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

const pieceLength = 2 ** 20;
const zeroLength = 4096;

/**
 * Gets ready to change the content of a raw disk file in one step: `copy` is made beside it (that shares its space, where
 * the file system can do so), changed, and synced; to apply it is to put it into the file's place. Whoever has the file
 * open keeps the old one.
 *
 * @throws VarveError `NO_SPACE` beforehand where a copy would not fit, `ABORTED`, `IO`; nothing is left behind then
 */
export async function stageRaw(
  path: string,
  copy: string,
  content: MergedContent,
  options: CommitRawOptions,
): Promise<StagedChange> {
  try {
    await copyFile(path, copy, content, options);
    await using file = await openFileDevice(copy, { label: path });
    if (isResizable(file) && file.size < content.size) await file.resize(content.size);
    await applyChanges(file, content, options);
    await file.flush();
    await syncFile(copy);
  } catch (error) {
    await fs.rm(copy, { force: true });
    throw systemError(`commit to ${path}`, error);
  }
  return {
    record: { kind: 'copy', copy: basename(copy) },
    apply: () => takePlace(copy, path),
    async release() {},
    drop: () => fs.rm(copy, { force: true }),
    async [Symbol.asyncDispose]() {},
  };
}

/** A copy with the permissions and, where that is allowed, the owner of the file. */
async function copyFile(path: string, copy: string, content: MergedContent, options: CommitRawOptions): Promise<void> {
  const { mode, uid, gid } = await fs.stat(path);
  const isShared = await share(path, copy);
  const changed = totalLength(content.ranges);
  await using source = await openFileDevice(path, { readOnly: true });
  await requireSpace(path, changed + (isShared ? 0 : await dataLength(source)), isShared);
  if (!isShared) await copyData(source, copy, path, options);
  await fs.chown(copy, uid, gid).catch(() => undefined);
  await fs.chmod(copy, mode & 0o7777);
}

/** Makes a copy that shares the file's space; false where the file system cannot. */
async function share(path: string, copy: string): Promise<boolean> {
  const { COPYFILE_EXCL, COPYFILE_FICLONE_FORCE } = constants;
  return await fs.copyFile(path, copy, COPYFILE_EXCL | COPYFILE_FICLONE_FORCE).then(
    () => true,
    async () => {
      await fs.rm(copy, { force: true });
      return false;
    },
  );
}

async function requireSpace(path: string, need: number, isShared: boolean): Promise<void> {
  const free = await freeSpace(dirname(path));
  if (need <= free) return;
  const what = isShared
    ? 'what changes in it takes'
    : 'a copy of it, which is made so that it changes in one step, takes';
  const sizes = `${what} up to ${formatSize(need)}, and ${formatSize(free)} are free there`;
  throw new VarveError('NO_SPACE', `cannot commit to ${path}: ${sizes}`);
}

async function dataLength(source: BlockDevice): Promise<number> {
  let length = 0;
  if (source.size === 0) return 0;
  for await (const extent of source.extents(0, source.size)) if (extent.kind === 'data') length += extent.length;
  return length;
}

async function copyData(source: BlockDevice, copy: string, path: string, { signal }: CommitRawOptions): Promise<void> {
  await using target = await openFileDevice(copy, { createSize: source.size, label: path });
  if (source.size === 0) return;
  const buffer = new Uint8Array(pieceLength);
  for await (const extent of source.extents(0, source.size)) {
    if (extent.kind !== 'data') continue;
    for (const { offset, length } of pieces([extent], pieceLength)) {
      throwIfAborted(signal);
      const piece = buffer.subarray(0, length);
      await source.read(piece, offset);
      await target.write(piece, offset);
    }
  }
}

/** What turns to zeros gets holes. */
async function applyChanges(file: BlockDevice, content: MergedContent, options: CommitRawOptions): Promise<void> {
  const buffer = new Uint8Array(pieceLength);
  for (const { offset, length } of pieces(content.ranges, pieceLength)) {
    throwIfAborted(options.signal);
    const piece = buffer.subarray(0, length);
    await content.read(piece, offset);
    for (const { start, end, isZero } of zeroRuns(piece, zeroLength)) {
      if (isZero) await file.zero(offset + start, end - start);
      else await file.write(piece.subarray(start, end), offset + start);
    }
    options.onProgress?.(length);
  }
}

/** With its size and permissions, which a flush of its data need not cover. */
async function syncFile(path: string): Promise<void> {
  await using file = await fs.open(path, 'r');
  await file.sync();
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new VarveError('ABORTED', 'stopped on request', { cause: signal.reason });
}
