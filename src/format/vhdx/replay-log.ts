import type { BlockDevice } from '../../block/block-device.ts';
import { zeroGuid } from '../../bytes/guid.ts';
import { corruptImage, unsupportedImage } from '../image-errors.ts';
import { activeSequence, type LogSequence } from './active-sequence.ts';
import type { VhdxHeader } from './file-header.ts';
import type { LoggedWrite } from './log-entry.ts';
import { PatchedFile } from './patched-file.ts';

/** It is read into memory whole; other programs make logs of 1 MiB. */
const maximumLogLength = 16 * 2 ** 20;

/**
 * The file as it is once its log is replayed, in memory; undefined where there is nothing to replay. What is returned
 * takes the file over.
 *
 * @throws VarveError `CORRUPT` where the log is not in the file, or that is shorter than its log knew it; `UNSUPPORTED`
 */
export async function replayLog(file: BlockDevice, header: VhdxHeader, name: string): Promise<PatchedFile | undefined> {
  const { logGuid, logLength, logOffset } = header;
  if (logGuid === zeroGuid) return undefined;
  if (logLength > maximumLogLength) throw unsupportedImage(name, `LogLength is ${logLength}, over 16 MiB`);
  if (logLength === 0 || logOffset + logLength > file.size) {
    const place = `${logLength} bytes at byte ${logOffset} of ${file.size}`;
    throw corruptImage(name, `its log is not empty, and cannot be ${place}`);
  }
  const log = new Uint8Array(logLength);
  await file.read(log, logOffset);
  // Without a whole sequence, whoever began the log was cut off in its first entry, before anything else was written.
  const sequence = activeSequence(log, logGuid) ?? [];
  const last = sequence.at(-1);
  if (last === undefined) return new PatchedFile(file, [], 0);
  if (file.size < last.flushedFileOffset) {
    const sizes = `FlushedFileOffset is ${last.flushedFileOffset}, and the file has ${file.size} bytes`;
    throw corruptImage(name, `it was cut off: its log's ${sizes}`);
  }
  return new PatchedFile(file, newestFirst(sequence), last.lastFileOffset);
}

function* newestFirst(sequence: LogSequence): Generator<LoggedWrite, undefined> {
  for (const entry of sequence.toReversed()) yield* entry.writes().toReversed();
}
