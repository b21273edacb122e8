import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isVarveError, VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { type MemoryDevice, memoryDevice } from '../../block/memory-device.ts';
import { alignDown } from '../../bytes/align.ts';
import { assertEqualBytes, pattern } from '../../conformance/device-content.ts';
import { damaged, damages } from '../../conformance/image-format-damage.ts';
import { lateFile } from '../../conformance/late-file.ts';
import { randomBelow, seededRandom } from '../../filter/seeded-random.ts';
import { sliceFilter } from '../../filter/slice.ts';
import { checkQcow2 } from './check/check-qcow2.ts';
import { createQcow2 } from './create-qcow2.ts';
import { openQcow2 } from './open-qcow2.ts';

const size = 300_032;

async function newFile(clusterSize: number): Promise<MemoryDevice> {
  const file = Object.assign(memoryDevice(0), { [Symbol.asyncDispose]: async () => undefined });
  await createQcow2(file, { size, clusterSize });
  return file;
}

describe('a qcow2 image that is written', () => {
  test('stays whole when its file runs out of space now and then, and goes on', async () => {
    for (let seed = 0; seed < 30; seed += 1) {
      const file = await newFile(seed % 2 === 0 ? 512 : 4096);
      const random = seededRandom(seed);
      let failing = false;
      const write = file.write.bind(file);
      file.write = (source, offset) => {
        if (failing && random() < 0.2) {
          // Part of it is there all the same, as with a real file.
          const known = file.size;
          write(source.subarray(0, alignDown(source.length >> 1, 512)), offset);
          Object.assign(file, { size: known });
          throw new VarveError('NO_SPACE', 'no space left');
        }
        write(source, offset);
      };
      const content = new Uint8Array(size);
      const uncertain = new Uint8Array(size);
      {
        await using disk = await openQcow2(file, { name: 'image', writable: true });
        for (let step = 0; step < 60; step += 1) {
          const offset = randomBelow(random, size);
          const length = 1 + randomBelow(random, Math.min(9000, size - offset));
          const source = pattern(length, step);
          failing = step % 20 > 5;
          try {
            await (step % 7 === 6 ? disk.zero(offset, length) : disk.write(source, offset));
            content.set(step % 7 === 6 ? new Uint8Array(length) : source, offset);
            uncertain.fill(0, offset, offset + length);
          } catch (error) {
            assert.ok(isVarveError(error, 'NO_SPACE'), `${error}`);
            uncertain.fill(1, offset, offset + length);
          }
          if (step % 5 === 4) await assertFlush(disk);
        }
        failing = false;
      }
      const report = await checkQcow2(file, { name: 'image' });
      assert.deepEqual([report.corruptions, report.leaks], [0, 0], `seed ${seed}: ${report.problems}`);
      await using disk = await openQcow2(file, { name: 'image' });
      const found = new Uint8Array(size);
      await disk.read(found, 0);
      const wrong = found.findIndex((byte, index) => uncertain[index] === 0 && byte !== content[index]);
      assert.equal(wrong, -1, `seed ${seed}`);
    }
  });

  test('is full where what it lies on cannot grow, and holds what went into it', async () => {
    const file = await newFile(512);
    file.resize(100_000);
    const partition = sliceFilter(file, { offset: 0, length: 100_000 });
    let written = 0;
    {
      await using disk = await openQcow2(partition, { name: 'image', writable: true });
      const fill = async (): Promise<void> => {
        for (; written < size; written += 1024) await disk.write(pattern(1024, written), written);
      };
      await assert.rejects(fill(), { code: 'NO_SPACE', message: /image: it is full/ });
      assert.ok(written > 80_000, `${written}`);
      await disk.trim(0, 10_240);
      await disk.write(pattern(1024, 7), written);
      await disk.resize?.(200_192);
    }
    const report = await checkQcow2(file, { name: 'image' });
    assert.deepEqual([report.corruptions, report.leaks], [0, 0], `${report.problems}`);
    await using disk = await openQcow2(partition, { name: 'image' });
    const found = new Uint8Array(1024);
    for (let offset = 10_240; offset < written; offset += 1024) {
      await disk.read(found, offset);
      assertEqualBytes(found, pattern(1024, offset), `at ${offset}`);
    }
  });

  test('says so where its file cannot be read, at once or late, and works again once it can', async () => {
    const file = await newFile(512);
    {
      await using disk = await openQcow2(file, { name: 'image', writable: true });
      await disk.write(pattern(size, 1), 0);
    }
    const late = lateFile(file);
    await using disk = await openQcow2(late, { name: 'image', writable: true });
    await disk.write(pattern(512, 2), 0);
    const read = late.read.bind(late);
    late.read = () => Promise.reject(new VarveError('IO', 'gone'));
    for (const offset of [100_000, 200_000]) {
      await assert.rejects(async () => disk.write(pattern(512, 3), offset), { code: 'IO' });
      await assert.rejects(async () => disk.zero(offset, 5000), { code: 'IO' });
      await assert.rejects(async () => disk.read(new Uint8Array(512), offset), { code: 'IO' });
    }
    late.read = read;
    await disk.write(pattern(512, 3), 100_000);
    const found = new Uint8Array(512);
    await disk.read(found, 100_000);
    assertEqualBytes(found, pattern(512, 3), 'afterwards');
  });

  test('ends in an error with a code where it is damaged, whatever is asked of it', async () => {
    const file = await newFile(512);
    {
      await using disk = await openQcow2(file, { name: 'image', writable: true });
      await disk.write(pattern(100_000, 1), 50_000);
    }
    const image = new Uint8Array(file.size);
    file.read(image, 0);
    const property = fc.asyncProperty(damages(image.length), async (changes) => {
      const broken = memoryDevice(damaged(image, changes));
      try {
        await using disk = await openQcow2(broken, { name: 'image', writable: true });
        const end = Math.min(disk.size, 2 ** 20);
        if (end < 4096) return;
        await disk.write(pattern(2000, 2), end - 4000);
        await disk.write(pattern(3000, 3), Math.min(50_001, end - 3000));
        await disk.zero(1000, 3000);
        await disk.trim(0, end);
        await disk.flush();
        await disk.resize?.(end - (end % 512));
      } catch (error) {
        assert.ok(
          isVarveError(error, 'CORRUPT', 'UNSUPPORTED', 'PERMISSION', 'READ_ONLY', 'NO_SPACE', 'INVALID'),
          `${error instanceof Error ? error.stack : error}`,
        );
      }
    });
    await fc.assert(property, { numRuns: 400 });
  });
});

/** A flush, which may fail for want of space, and be tried again. */
async function assertFlush(disk: BlockDevice): Promise<void> {
  try {
    await disk.flush();
  } catch (error) {
    assert.ok(isVarveError(error, 'NO_SPACE'), `${error}`);
  }
}
