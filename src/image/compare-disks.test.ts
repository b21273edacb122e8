import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { importDisk, type TemporaryStore, temporaryStore } from '../../test/store/temporary-store.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { compareDisks } from './compare-disks.ts';
import { type FileDisk, openStreamDisk } from './file-disk.ts';
import { type Disk, openDisk } from './open-disk.ts';

/** A disk of no store: its content is compared byte by byte. */
function plainDisk(content: Uint8Array): Promise<FileDisk> {
  return openStreamDisk(memoryDevice(content), 'memory', { format: 'raw' });
}

/** Some bytes at some places of a disk that is zero elsewhere, places near the edges of chunks and pieces. */
const disks = fc
  .record({
    size: fc.constantFrom(1, 65_536, 100_000, 2 ** 20, 2 ** 20 + 1, 3_000_000),
    marks: fc.array(
      fc.tuple(
        fc.constantFrom(0, 1, 65_535, 65_536, 99_999, 2 ** 20 - 1, 2 ** 20, 2_999_999),
        fc.integer({ min: 0, max: 2 }),
      ),
      { maxLength: 4 },
    ),
  })
  .map(({ size, marks }) => {
    const content = new Uint8Array(size);
    for (const [offset, value] of marks) if (offset < size) content[offset] = value;
    return content;
  });

/** What comparing byte by byte finds. */
function firstDifference(a: Uint8Array, b: Uint8Array): number | undefined {
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    if ((a[index] ?? 0) !== (b[index] ?? 0)) return index;
  }
  return undefined;
}

describe('compareDisks', () => {
  let temporary: TemporaryStore;
  let imageCount = 0;

  before(async () => {
    temporary = await temporaryStore();
  });

  after(() => temporary[Symbol.asyncDispose]());

  async function storedDisk(content: Uint8Array): Promise<Disk> {
    imageCount += 1;
    const { image } = await importDisk(temporary.store, `disk${imageCount}`, content);
    return await openDisk(image, { store: temporary.store });
  }

  test('finds the first byte that differs, wherever the disks are, and takes missing bytes for zeros', async () => {
    const places = fc.constantFrom(plainDisk, storedDisk);
    await fc.assert(
      fc.asyncProperty(disks, disks, places, places, async (contentA, contentB, openA, openB) => {
        await using a = await openA(contentA);
        await using b = await openB(contentB);
        const offset = firstDifference(contentA, contentB);
        assert.deepEqual(await compareDisks(a, b), {
          identical: offset === undefined,
          ...(offset === undefined ? {} : { offset }),
          sizesDiffer: contentA.length !== contentB.length,
        });
      }),
      { numRuns: 60 },
    );
  });

  test('strictly, disks of different sizes differ without being read', async () => {
    await using a = await plainDisk(new Uint8Array(1000));
    await using b = await storedDisk(new Uint8Array(1001));
    assert.deepEqual(await compareDisks(a, b, { strict: true }), { identical: false, sizesDiffer: true });
    await using c = await plainDisk(new Uint8Array(1000));
    assert.deepEqual(await compareDisks(a, c, { strict: true }), { identical: true, sizesDiffer: false });
  });

  test('snapshots of one content are told identical without anything being read', async () => {
    const { store } = temporary;
    const content = new Uint8Array(200_000).fill(1);
    await using a = await storedDisk(content);
    await using b = await storedDisk(content);
    store.reader.get = () => assert.fail('something was read');
    try {
      assert.equal((await compareDisks(a, b)).identical, true);
    } finally {
      Reflect.deleteProperty(store.reader, 'get');
    }
  });

  test('stops on request', async () => {
    await using a = await plainDisk(new Uint8Array(5_000_000).fill(1));
    await using b = await plainDisk(new Uint8Array(5_000_000).fill(1));
    await assert.rejects(compareDisks(a, b, { signal: AbortSignal.abort() }), { code: 'ABORTED' });
  });
});
