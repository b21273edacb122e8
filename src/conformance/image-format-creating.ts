import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isVarveError } from '../base/varve-error.ts';
import type { ResizableDevice } from '../block/block-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { readOnlyFilter } from '../filter/read-only.ts';
import { openImage, probeFormat } from '../format/formats.ts';
import type { CreateImageOptions, FormatDevice, ImageFormat } from '../format/image-format.ts';
import { testBlockDevice } from './block-device.ts';
import { assertEqualBytes, contentOf, edgeRanges, pattern } from './device-content.ts';
import { testImageName } from './image-format-expectations.ts';
import { checkMap } from './image-format-mapping.ts';

/** A format whose images are made empty and written in place, and one way to make them. */
export interface CreatingExpectations {
  readonly format: ImageFormat & Required<Pick<ImageFormat, 'create'>>;
  readonly options: Omit<CreateImageOptions, 'size'>;
  /** The format's disks have sizes of multiples of this many bytes. */
  readonly sizeUnit: number;
}

/** The clauses about `create`, and about images that are open to be written. */
export function testCreating(expected: CreatingExpectations): void {
  const { format, sizeUnit } = expected;
  const size = 300 * 1024;

  test('a new image is of its format and its size, and reads as zeros', async () => {
    for (const each of [0, sizeUnit, size]) {
      const file = await newImage(expected, each);
      assert.equal((await probeFormat(file, testImageName)).name, format.name);
      await using disk = await openImage(file, { name: testImageName, format: format.name });
      assert.equal(disk.size, each);
      if (each > 0) assertEqualBytes(await contentOf(disk), new Uint8Array(each), 'a new disk');
    }
  });

  test('what is written is there when it is opened again, flushed or not', async () => {
    const file = await newImage(expected, size);
    const content = new Uint8Array(size);
    for (let round = 0; round < 4; round += 1) {
      await using disk = await openToWrite(expected, file);
      assertEqualBytes(await contentOf(disk), content, `round ${round}`);
      const offset = round * 70_001;
      await disk.write(pattern(20_000, round), offset);
      content.set(pattern(20_000, round), offset);
      if (round % 2 === 0) await disk.flush();
    }
    await using disk = await format.open(file, { name: testImageName });
    assertEqualBytes(await contentOf(disk), content, 'in the end');
  });

  test('a file that cannot be written is READ_ONLY, by name, or gives a disk that says so', async () => {
    const file = readOnlyFilter(await newImage(expected, size));
    try {
      await using disk = await format.open(file, { name: testImageName, writable: true });
      assert.equal(disk.supports.write, false);
    } catch (error) {
      assert.ok(isVarveError(error, 'READ_ONLY') && error.message.includes(testImageName), `${error}`);
    }
  });

  test('a disk that is made larger has zeros there, smaller keeps the rest, and so it is opened again', async () => {
    const file = await newImage(expected, size);
    let content = pattern(size, 1);
    {
      await using disk = await openToWrite(expected, file);
      if (disk.resize === undefined) return;
      await disk.write(content, 0);
      for (const next of [size + sizeUnit, size / 2, size / 2 + sizeUnit, size, 4 * size, sizeUnit, size * 2]) {
        const resized = new Uint8Array(next);
        resized.set(content.subarray(0, next));
        content = resized;
        await disk.resize(next);
        assert.equal(disk.size, next);
        assertEqualBytes(await contentOf(disk), content, `after resizing to ${next}`);
        const end = pattern(Math.min(next, 1000), next);
        await disk.write(end, next - end.length);
        content.set(end, next - end.length);
      }
    }
    await using disk = await openToWrite(expected, file);
    assertEqualBytes(await contentOf(disk), content, 'opened again');
  });

  test('map follows what is written', async () => {
    const file = await newImage(expected, size);
    await using disk = await openToWrite(expected, file);
    await disk.write(pattern(100_000, 1), 70_000);
    await disk.zero(90_000, 40_000);
    await disk.trim(140_000, 10_000);
    await disk.flush();
    for (const { length, offset } of edgeRanges(disk)) await checkMap(disk, offset, length, file);
  });

  describe('what it opens to be written', () => {
    const sizes = [512, 4096, 65536, 140_288].filter((each) => each % sizeUnit === 0);
    testBlockDevice(
      'its disk',
      async (content) => {
        const disk = await openToWrite(expected, await newImage(expected, content.length));
        await disk.write(content, 0);
        return disk;
      },
      { sizes, runs: 10 },
    );
  });
}

/** A file in memory that stays when it is disposed of. */
async function newImage({ format, options }: CreatingExpectations, size: number): Promise<ResizableDevice> {
  const file = Object.assign(memoryDevice(0), { [Symbol.asyncDispose]: async () => undefined });
  await format.create(file, { ...options, size });
  return file;
}

function openToWrite({ format }: CreatingExpectations, file: ResizableDevice): Promise<FormatDevice> {
  return format.open(file, { name: testImageName, writable: true });
}
