import { formatSize } from '../base/size.ts';
import { isVarveError, VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { openFileDevice } from '../block/file-device.ts';
import { dataRanges } from '../format/data-ranges.ts';
import { throwIfAborted } from '../format/disk-pieces.ts';
import { formatNamed, probeFormat } from '../format/formats.ts';
import type { CheckImageOptions, CheckReport } from '../format/image-format.ts';
import { log } from '../log/log.ts';
import { chunkSize } from '../store/chunk.ts';
import { formatAtAddress, openAddressDevice } from './address-device.ts';
import { unpackIfCompressed } from './compressed-file.ts';
import { diskAddress } from './disk-address.ts';
import type { SnapshotDisk } from './open-disk.ts';

/** How a disk file is checked. */
export interface CheckFileOptions {
  /** The name of the file's format; its content shows it where nothing is given. */
  readonly format?: string | undefined;
  /** What to set right: `leaks` frees what nothing uses, `all` also settles contradictions. */
  readonly repair?: 'leaks' | 'all' | undefined;
  /** Checks a file even while another program writes to it, which makes what is found unsure. */
  readonly forceShare?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What was found in a disk. */
export interface DiskCheck {
  /** The name of its format; `varve` for a snapshot of a store. */
  readonly format: string;
  readonly report: CheckReport;
}

const maximumProblemCount = 100;

/**
 * Looks for what is wrong with a disk file, or with the image at an address, and repairs it where that is asked. It opens no other file.
 *
 * @throws VarveError `UNSUPPORTED` for a format in which nothing can be wrong, or is not looked for; `BUSY` while others
 *   use the file; `CORRUPT` where not even its header can be read
 */
export async function checkFile(path: string, options: CheckFileOptions = {}): Promise<DiskCheck> {
  const { forceShare = false, repair, signal } = options;
  const readOnly = repair === undefined;
  const address = diskAddress(path);
  const label = address?.label ?? path;
  const formatName = address === undefined ? options.format : formatAtAddress(address, options.format);
  return await log.scope(`check ${label}`, async () => {
    const lock = !(readOnly && forceShare);
    const given =
      address === undefined
        ? await openFileDevice(path, { readOnly, lock })
        : await openAddressDevice(address, { writable: !readOnly });
    const isAsItIs = !readOnly || formatName === 'raw';
    await using file = isAsItIs ? given : (await unpackIfCompressed(given, { label, signal })).file;
    const format = formatName === undefined ? await probeFormat(file, label) : formatNamed(formatName);
    if (format.check === undefined) throw nothingToCheck(label, format.name);
    using progress = log.progress({ label: `checking ${label}`, totalBytes: file.size });
    const checkOptions: CheckImageOptions = {
      name: label,
      onProgress: (position) => progress.advance(position - progress.bytes),
      ...(repair === undefined ? {} : { repair }),
      ...(signal === undefined ? {} : { signal }),
    };
    const report = await format.check(file, checkOptions);
    if (!readOnly) await file.flush();
    return { format: format.name, report };
  });
}

function nothingToCheck(path: string, format: string): VarveError {
  const why = format === 'raw' ? 'a raw disk has nothing that could be wrong' : `${format} images are not checked here`;
  return new VarveError('UNSUPPORTED', `cannot check ${path}: ${why}`);
}

/**
 * Reads all that a snapshot holds, every chunk of which is checked by its name, and tells what cannot be read.
 *
 * @throws VarveError `ABORTED`
 */
export async function checkSnapshot(
  { device, label }: SnapshotDisk,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<DiskCheck> {
  return await log.scope(`check ${label}`, async () => {
    using progress = log.progress({ label: `checking ${label}`, totalBytes: device.size });
    const problems: string[] = [];
    let corruptions = 0;
    for await (const { length, offset } of dataRanges(device, chunkSize)) {
      for (let done = 0; done < length; done += chunkSize) {
        throwIfAborted(signal);
        const problem = await problemAt(device, offset + done, Math.min(chunkSize, length - done));
        if (problem !== undefined && corruptions++ < maximumProblemCount) problems.push(problem);
      }
      progress.advance(offset + length - progress.bytes);
    }
    return { format: 'varve', report: { corruptions, leaks: 0, corruptionsFixed: 0, leaksFixed: 0, problems } };
  });
}

async function problemAt(device: BlockDevice, offset: number, length: number): Promise<string | undefined> {
  try {
    await device.read(new Uint8Array(length), offset);
    return undefined;
  } catch (error) {
    if (!isVarveError(error, 'CORRUPT', 'IO', 'NOT_FOUND')) throw error;
    return `${formatSize(length)} at byte ${offset}: ${error.message}`;
  }
}
