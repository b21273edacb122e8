/**
 * Reads hostile images, and prints a line of JSON for each: `node --expose-gc hostile-child.ts`, with lines of JSON on
 * standard input, a `HostileRequest` each.
 */
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { VarveError } from '../../src/base/varve-error.ts';
import { openFileDevice } from '../../src/block/file-device.ts';
import { followBackingFiles } from '../../src/format/backing-files.ts';
import { formatNamed, openImage } from '../../src/format/formats.ts';
import { mapOf } from '../../src/format/map-of.ts';
import { followParts } from '../../src/format/part-files.ts';

/** What is to be read. */
export interface HostileRequest {
  readonly path: string;
  /** The format's name; found out where it is not given. */
  readonly format?: string | undefined;
}

/** How that went. */
export interface HostileAnswer {
  readonly path: string;
  /** Of the error; left out where the image could be read. */
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  /** What the processor worked on it, in milliseconds. */
  readonly processorMs: number;
  /** By how much the most memory that the process ever held is more than before the first image, in bytes. */
  readonly memoryGrowth: number;
}

/** What is read of a disk, at its start and its end, in bytes. */
const readLength = 2 ** 20;
const maximumExtents = 2000;

const openFile = (path: string) => openFileDevice(path, { readOnly: true });

async function readSome({ format, path }: HostileRequest): Promise<void> {
  const partsOf = (image: string) => followParts(image, openFile);
  const openBacking = await followBackingFiles({ path, allowed: [dirname(path)], openFile, partsOf });
  const options = { name: path, format, openBacking, openPart: partsOf(path) };
  await using disk = await openImage(await openFile(path), options);
  const length = Math.min(disk.size, readLength);
  const target = new Uint8Array(length);
  if (length > 0) {
    await disk.read(target, 0);
    await disk.read(target, disk.size - length);
    for (const runs of [disk.extents(0, disk.size), mapOf(disk, 0, disk.size)]) {
      let count = 0;
      for await (const _ of runs) if (++count === maximumExtents) break;
    }
  }
}

async function checkIt({ format, path }: HostileRequest): Promise<void> {
  const check = formatNamed(format ?? 'raw').check;
  if (check === undefined) return;
  await using file = await openFile(path);
  await check(file, { name: path });
}

async function failureOf(action: () => Promise<void>): Promise<unknown> {
  try {
    await action();
    return undefined;
  } catch (error) {
    return error;
  }
}

const { gc } = globalThis;
const startMemory = process.resourceUsage().maxRSS * 1024;
for await (const line of createInterface({ input: process.stdin })) {
  const request: HostileRequest = JSON.parse(line);
  gc?.();
  const start = process.cpuUsage();
  const failures = [await failureOf(() => readSome(request)), await failureOf(() => checkIt(request))];
  const failure = failures.find((error) => error !== undefined && !(error instanceof VarveError)) ?? failures[0];
  const used = process.cpuUsage(start);
  const answer: HostileAnswer = {
    path: request.path,
    code: failure === undefined ? undefined : failure instanceof VarveError ? failure.code : 'no code',
    message: failure instanceof VarveError ? failure.message : (failure as Error | undefined)?.stack,
    processorMs: (used.user + used.system) / 1000,
    memoryGrowth: process.resourceUsage().maxRSS * 1024 - startMemory,
  };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
