import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import type { BlockDevice } from '../../src/block/block-device.ts';
import { openFileDevice } from '../../src/block/file-device.ts';
import { assertEqualBytes, contentOf, extentsOf } from '../../src/conformance/device-content.ts';
import { followBackingFiles } from '../../src/format/backing-files.ts';
import { openImage } from '../../src/format/formats.ts';
import type { FormatDevice } from '../../src/format/image-format.ts';

const run = promisify(execFile);

/** A directory for images, gone when it is disposed of. */
export interface ImageDirectory extends AsyncDisposable {
  path(name: string): string;
  /** Writes a whole device, or bytes, into a new file, and gives its path. */
  save(name: string, content: Uint8Array | BlockDevice): Promise<string>;
}

export async function imageDirectory(): Promise<ImageDirectory> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  const path = (name: string): string => join(directory, name);
  return {
    path,
    async save(name, content) {
      await writeFile(path(name), content instanceof Uint8Array ? content : await contentOf(content));
      return path(name);
    },
    async [Symbol.asyncDispose]() {
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Runs qemu-img and gives its standard output. */
export async function qemuImg(...options: string[]): Promise<string> {
  return (await run('qemu-img', options)).stdout;
}

const encryptionAttempts = 8;

/** Makes an image that is encrypted; `false`, and the test skipped, where QEMU cannot measure how busy the machine is. */
export async function createEncrypted(t: TestContext, path: string, ...options: readonly string[]): Promise<boolean> {
  for (let attempt = 0; attempt < encryptionAttempts; attempt += 1) {
    try {
      await qemuImg('create', '-q', '-f', 'qcow2', ...options);
      return true;
    } catch (error) {
      if (!String(error).includes('CPU usage')) throw error;
      await rm(path, { force: true });
    }
  }
  t.skip('qemu-img cannot tell how long to work on a key on a machine that is this busy');
  return false;
}

/** Runs qemu-io on an image, a command after the other. */
export async function qemuIo(image: string, ...commands: string[]): Promise<string> {
  return (await run('qemu-io', [...commands.flatMap((command) => ['-c', command]), image])).stdout;
}

/** Opens an image and whatever it builds on in `directories`. */
export async function openPath(path: string, ...directories: string[]): Promise<FormatDevice> {
  const openFile = (file: string): Promise<BlockDevice> => openFileDevice(file, { readOnly: true });
  const openBacking = await followBackingFiles({ path, allowed: directories, openFile });
  return openImage(await openFile(path), { name: path, openBacking });
}

/** That we read an image just as qemu-img does. */
export async function assertReadsLikeQemu(path: string, ...directories: string[]): Promise<void> {
  const rawPath = `${path}.expected`;
  await qemuImg('convert', '-O', 'raw', path, rawPath);
  await using disk = await openPath(path, ...directories);
  const expected = await readFile(rawPath);
  await rm(rawPath);
  assert.equal(disk.size, expected.length);
  assertEqualBytes(await contentOf(disk), expected, 'all at once');
  // Pieces that start and end inside clusters.
  for (let offset = 0; offset < disk.size; offset += 70_001) {
    const length = Math.min(70_001, disk.size - offset);
    assertEqualBytes(await contentOf(disk, offset, length), expected.subarray(offset, offset + length), `at ${offset}`);
  }
  for (const { kind, length, offset } of await extentsOf(disk)) {
    if (kind === 'data') continue;
    assertEqualBytes(expected.subarray(offset, offset + length), Buffer.alloc(length), `${kind} at ${offset}`);
  }
}

/** A run of a disk as `qemu-img map` and we tell of it alike. */
export interface MappedRun {
  readonly start: number;
  readonly length: number;
  readonly isData: boolean;
}

/** What `qemu-img map` says is data, and is not zeros; neighbours joined. */
export async function qemuMap(path: string): Promise<MappedRun[]> {
  const runs: { start: number; length: number; data: boolean; zero: boolean }[] = JSON.parse(
    await qemuImg('map', '--output=json', path),
  );
  return joined(runs.map(({ data, length, start, zero }) => ({ start, length, isData: data && !zero })));
}

/** The same of our extents. */
export async function ourMap(disk: BlockDevice): Promise<MappedRun[]> {
  const extents = await extentsOf(disk);
  return joined(extents.map(({ kind, length, offset }) => ({ start: offset, length, isData: kind === 'data' })));
}

function joined(runs: readonly MappedRun[]): MappedRun[] {
  const result: MappedRun[] = [];
  for (const run of runs) {
    const last = result.at(-1);
    if (last?.isData === run.isData) result[result.length - 1] = { ...last, length: last.length + run.length };
    else result.push(run);
  }
  return result;
}

/** That `qemu-img check` finds nothing at all wrong with an image: no corruption, no leak. */
export async function assertClean(path: string): Promise<void> {
  const report = JSON.parse(await qemuImg('check', '--output=json', path));
  assert.deepEqual([report['check-errors'], report.corruptions ?? 0, report.leaks ?? 0], [0, 0, 0], `check ${path}`);
}
