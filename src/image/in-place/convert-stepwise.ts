import fs from 'node:fs/promises';
import { dirname } from 'node:path';
import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { openFileDevice } from '../../block/file-device.ts';
import { regularFileDevice } from '../../block/regular-file-device.ts';
import { isZero } from '../../bytes/is-zero.ts';
import { throwIfAborted } from '../../format/disk-pieces.ts';
import { formatNamed, openImage } from '../../format/formats.ts';
import type { FormatDevice, MappedExtent } from '../../format/image-format.ts';
import { log } from '../../log/log.ts';
import { syncDirectory } from '../file-history/file-places.ts';
import type { ConversionJournal } from './conversion-journal.ts';
import { giveName, takeSource } from './old-and-new-file.ts';
import { cut } from './step-plan.ts';

const pieceLength = 2 ** 20;
const minimumStepLength = 2 * 2 ** 20;
const zeroBlockLength = 65536;

/**
 * Converts a file by moving its disk, step by step, into a new file: what is there, is read back, durable and recorded, is
 * then punched out of the old file. At any moment the two together hold the whole disk, and going on ends with the new one
 * alone. Meanwhile there is no file of the old name, so that nobody takes a half for the whole.
 *
 * @throws VarveError `ABORTED` and whatever else comes between; it can be gone on with then
 */
export async function convertStepwise(journal: ConversionJournal, signal: AbortSignal | undefined): Promise<void> {
  if (!journal.last.done) {
    await takeSource(journal);
    await moveAll(journal, signal);
    await journal.add({ done: true });
    log(2, 'all is moved');
  }
  await giveName(journal);
  await journal.remove();
}

async function moveAll(journal: ConversionJournal, signal: AbortSignal | undefined): Promise<void> {
  const { path, plan } = journal;
  await using file = await openFileDevice(journal.file('source'), { lock: true, label: path });
  // The image gets a device of its own: disposing of it would close the one whose space is given back.
  const reading = await openFileDevice(journal.file('source'), { readOnly: true, label: path });
  await using source = await openImage(reading, { name: path, format: plan.from });
  await using target = await openTarget(journal);
  using progress = log.progress({ label: `converting ${path}`, totalBytes: plan.size });
  const begun = journal.last.position ?? 0;
  // What was recorded may not have been punched out any more.
  await giveBack(file, source, 0, begun);
  const { size, stepLength = minimumStepLength } = plan;
  for (let start = begun; start < size; start += stepLength) {
    throwIfAborted(signal);
    const end = Math.min(size, start + stepLength);
    await moveStep(source, target, start, end);
    await journal.add({ position: end });
    log(2, 'recorded that all before %d is moved', end);
    await giveBack(file, source, start, end);
    progress.advance(end - progress.bytes);
  }
}

/** The new file: what an earlier attempt has left where it recorded anything, else an empty one. */
async function openTarget(journal: ConversionJournal): Promise<FormatDevice> {
  const { last, plan } = journal;
  const path = journal.file('target');
  if (last.position === undefined) await createTarget(journal, path);
  const file = await openFileDevice(path, { lock: true });
  return await openImage(file, { name: path, format: plan.to, writable: true });
}

async function createTarget(journal: ConversionJournal, path: string): Promise<void> {
  const { plan } = journal;
  const { create, name } = formatNamed(plan.to);
  if (create === undefined) throw new VarveError('UNSUPPORTED', `${name} images are not made piece by piece here`);
  const { clusterSize, formatOptions, size } = plan;
  await using handle = await fs.open(path, 'w+');
  await handle.chmod((await fs.stat(journal.file('source'))).mode & 0o7777);
  const { blksize: blockSize } = await handle.stat();
  await create(regularFileDevice({ handle, size: 0, blockSize, readOnly: false, label: path }), {
    size,
    ...(clusterSize === undefined ? {} : { clusterSize }),
    ...(formatOptions === undefined ? {} : { options: formatOptions }),
  });
  await handle.sync();
  await syncDirectory(dirname(path));
  log(2, 'the target is made');
}

async function moveStep(source: FormatDevice, target: FormatDevice, start: number, end: number): Promise<void> {
  const buffer = new Uint8Array(pieceLength);
  const check = new Uint8Array(pieceLength);
  for await (const { kind, length, offset } of source.extents(start, end - start)) {
    if (kind !== 'data') continue;
    for (let done = 0; done < length; done += pieceLength) {
      const piece = buffer.subarray(0, Math.min(pieceLength, length - done));
      await source.read(piece, offset + done);
      await writeData(target, piece, offset + done);
      await requireSame(target, piece, check.subarray(0, piece.length), offset + done);
    }
  }
  log(2, 'copied up to %d', end);
  await target.flush();
}

/** Blocks of zeros are left out: the target reads as zeros where nothing was written. */
async function writeData(target: FormatDevice, piece: Uint8Array, offset: number): Promise<void> {
  for (let start = 0; start < piece.length; start += zeroBlockLength) {
    const block = piece.subarray(start, start + zeroBlockLength);
    if (!isZero(block)) await target.write(block, offset + start);
  }
}

/** The source is about to lose it. */
async function requireSame(target: FormatDevice, piece: Uint8Array, check: Uint8Array, offset: number): Promise<void> {
  await target.read(check, offset);
  if (Buffer.compare(piece, check) === 0) return;
  throw new VarveError('IO', `cannot convert: what was written at byte ${offset} of the disk does not read back`);
}

/** Punches what the old file holds of a range of the disk. */
async function giveBack(file: BlockDevice, source: FormatDevice, start: number, end: number): Promise<void> {
  if (start >= end) return;
  for await (const run of cut(placesOf(source, start, end), end)) {
    const { compressed, depth, hostOffset, kind, length } = run;
    if (kind === 'data' && !compressed && depth === 0 && hostOffset !== undefined) await file.trim(hostOffset, length);
  }
  log(2, 'gave back what was before %d', end);
}

async function* placesOf(source: FormatDevice, start: number, end: number): AsyncGenerator<MappedExtent, undefined> {
  if (source.map !== undefined) yield* source.map(start, end - start);
}
