import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isVarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import type { FileSystem, FileSystemDriver } from '../filesystem/file-system.ts';
import { randomBelow, seededRandom } from '../filter/seeded-random.ts';
import { sliceFilter } from '../filter/slice.ts';
import type { FileSystemSample } from './file-system-sample.ts';

const rounds = 40;
/** No walk over a damaged sample takes more steps than this, or it goes in a circle. */
const mostSteps = 200_000;

/** The part of the suite that damages a sample: all ends in what can be read, or in an error with a code. */
export function testFileSystemDamage(sample: () => Promise<FileSystemSample>): void {
  test('bytes that are changed at random end in an error with a code, or in files', async () => {
    const { driver, open, structures } = await sample();
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = seededRandom(seed);
    for (let round = 0; round < rounds; round++) {
      await using device = await open();
      const { offset, length } = structures ?? { offset: 0, length: Math.min(device.size, 1 << 20) };
      for (let count = randomBelow(random, 20) + 1; count > 0; count--) {
        const byte = Uint8Array.of(random() < 0.3 ? 255 : random() < 0.3 ? 0 : randomBelow(random, 256));
        await device.write(byte, offset + randomBelow(random, length));
      }
      await endsWell(driver, device, `seed ${seed}, round ${round}`);
    }
  });

  test('a disk that is cut off anywhere ends in an error with a code, or in files', async () => {
    const { driver, open } = await sample();
    await using device = await open();
    const random = seededRandom(11);
    const lengths = [0, 1, 511, 512, 513, 1024, 2048, 4096, 65_536, device.size - 1, device.size - 4096];
    for (let round = 0; round < 20; round++) lengths.push(randomBelow(random, device.size));
    for (const length of lengths) {
      if (length <= 0 || length > device.size) continue;
      await endsWell(driver, sliceFilter(device, { offset: 0, length }), `cut to ${length} bytes`);
    }
  });
}

async function endsWell(driver: FileSystemDriver, device: BlockDevice, when: string): Promise<void> {
  await driver.identify(device);
  await allowed(when, async () => {
    await using fileSystem = await driver.open(device, { name: 'sample' });
    await allowed(when, () => fileSystem.usage());
    await allowed(when, () => count(fileSystem.freeRanges()));
    await walk(fileSystem, when);
  });
}

/** Reads a bit of all that can be reached. */
async function walk(fileSystem: FileSystem, when: string): Promise<void> {
  const seen = new Set<number>([fileSystem.root]);
  const pending = [fileSystem.root];
  let steps = 0;
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const names = fileSystem.readDirectory(directory);
    await allowed(when, async () => {
      for await (const { node } of names) {
        assert.ok(++steps < mostSteps, `${when}: there is no end to the names`);
        if (seen.has(node)) continue;
        seen.add(node);
        await allowed(when, async () => {
          if (await isDirectoryAfterReading(fileSystem, node, when)) pending.push(node);
        });
      }
    });
  }
}

async function isDirectoryAfterReading(fileSystem: FileSystem, node: number, when: string): Promise<boolean> {
  const { kind, size } = await fileSystem.stat(node);
  await allowed(when, () => fileSystem.extendedAttributes(node));
  if (kind === 'symlink') await allowed(when, () => fileSystem.readLink(node));
  if (kind === 'file') {
    await allowed(when, () => fileSystem.read(node, new Uint8Array(10_000), 0));
    await allowed(when, () => fileSystem.read(node, new Uint8Array(10_000), Math.floor(size / 2)));
    await allowed(when, () => count(fileSystem.extents(node)));
  }
  return kind === 'directory';
}

async function count(items: AsyncIterable<unknown>): Promise<void> {
  let steps = 0;
  for await (const _item of items) if (++steps > mostSteps) return;
}

async function allowed(when: string, action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) throw new Error(`${when}: ${error}`, { cause: error });
  }
}
