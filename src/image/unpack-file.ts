import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { log } from '../log/log.ts';
import { bunzipped } from './compressed-file-bzip2.ts';
import { CompressedFileError } from './compressed-file-error.ts';
import { gunzipped } from './compressed-file-gzip.ts';
import { CompressedFileInput } from './compressed-file-input.ts';
import type { CompressedFileKind } from './compressed-file-kind.ts';
import { unxz } from './compressed-file-xz.ts';
import { openXzDevice } from './compressed-file-xz-device.ts';
import { unzstd } from './compressed-file-zstd.ts';
import { spoolStream } from './spool-stream.ts';

const decoders: Readonly<Record<CompressedFileKind, (input: CompressedFileInput) => AsyncGenerator<Uint8Array>>> = {
  gzip: gunzipped,
  xz: unxz,
  zstd: unzstd,
  bzip2: bunzipped,
};

/** How a compressed file is unpacked. */
export interface UnpackOptions {
  /** What errors call the file. */
  readonly label: string;
  /**
   * A directory with room for what is inside; the file there has no name, and zeros take no space in it. TMPDIR, or
   * /var/tmp, where nothing is given.
   */
  readonly directory?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What is inside a file whose parts can be unpacked each by itself, when they are read; the file belongs to it. */
export async function openInParts(
  file: BlockDevice,
  kind: CompressedFileKind,
  { directory: given, label, signal }: UnpackOptions,
): Promise<BlockDevice | undefined> {
  const directory = given ?? roomyDirectory();
  const explain = (error: unknown) => unpackError(error, kind, label, noRoomIn(directory, given));
  try {
    return await openXzDevice(file, { directory, explain, signal });
  } catch (error) {
    throw explain(error);
  }
}

/**
 * What is inside a compressed file, written down so that it can be read anywhere. Disposing of the device gives the
 * space back; the compressed file stays the caller's.
 *
 * @throws VarveError `CORRUPT` for a damaged file and one that was cut off, `UNSUPPORTED` for rare ways to compress,
 *   `NO_SPACE`, `ABORTED`
 */
export async function unpackFile(
  file: BlockDevice,
  kind: CompressedFileKind,
  { directory: given, label, signal }: UnpackOptions,
): Promise<BlockDevice> {
  const directory = given ?? roomyDirectory();
  log(1, 'unpacking %s, a %s file', label, kind);
  using progress = log.progress({ label: `unpacking ${label}`, totalBytes: file.size });
  const input = new CompressedFileInput(file, (count) => progress.advance(count));
  try {
    return await spoolStream(Readable.from(bounded(decoders[kind](input))), { directory, label, signal });
  } catch (error) {
    throw unpackError(error, kind, label, noRoomIn(directory, given));
  }
}

function noRoomIn(directory: string, given: string | undefined): string {
  const advice = given === undefined ? '; set TMPDIR to a directory with more' : '';
  return `there is no room for what is inside in ${directory}${advice}`;
}

/** Where disks may be put: /tmp is memory on many machines. */
function roomyDirectory(): string {
  const directory = '/var/tmp';
  return process.env.TMPDIR === undefined && existsSync(directory) ? directory : tmpdir();
}

/** Sizes and offsets are numbers up to 2^53−1. */
async function* bounded(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const piece of pieces) {
    size += piece.length;
    if (!Number.isSafeInteger(size)) throw new CompressedFileError('not supported', 'it holds more than 2^53 bytes');
    yield piece;
  }
}

function unpackError(error: unknown, kind: CompressedFileKind, label: string, noRoom: string): unknown {
  if (error instanceof VarveError) {
    if (error.code !== 'NO_SPACE') return error;
    return new VarveError('NO_SPACE', `cannot unpack ${label}: ${noRoom}`, { cause: error });
  }
  const reason = reasonOf(error);
  if (reason === undefined) return error;
  const code = reason.kind === 'not supported' ? 'UNSUPPORTED' : 'CORRUPT';
  const what = `cannot unpack ${label}, which is compressed by ${kind}: it is ${reason.kind}: ${reason.message}`;
  return new VarveError(code, what, { cause: error });
}

/** What the decoders find wrong with a file; undefined for any other failure. */
function reasonOf(error: unknown): CompressedFileError | undefined {
  if (error instanceof CompressedFileError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (code === 'Z_BUF_ERROR') return new CompressedFileError('cut off', 'it ends early');
  return /^(Z|ZSTD)_/.test(code) ? new CompressedFileError('damaged', message) : undefined;
}
