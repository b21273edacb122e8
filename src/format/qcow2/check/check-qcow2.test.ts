import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../../../base/varve-error.ts';
import { type MemoryDevice, memoryDevice } from '../../../block/memory-device.ts';
import { contentOf } from '../../../conformance/device-content.ts';
import { damaged, damages } from '../../../conformance/image-format-damage.ts';
import { mixedDisk } from '../../../conformance/image-format-samples.ts';
import { memoryTarget } from '../../../conformance/memory-target.ts';
import { recordFilter } from '../../../filter/record.ts';
import type { CheckReport, WriteImageOptions } from '../../image-format.ts';
import { decodeHeader, encodeHeader } from '../header.ts';
import { openQcow2 } from '../open-qcow2.ts';
import { writeQcow2 } from '../write-qcow2.ts';
import { checkQcow2 } from './check-qcow2.ts';

const name = 'sample.qcow2';
const disk = mixedDisk(1_500_160);

async function imageOf(options: WriteImageOptions): Promise<Uint8Array> {
  const target = memoryTarget({ seekable: true, zeroed: true });
  await writeQcow2(disk, target, options);
  return target.bytes();
}

const plain = await imageOf({ clusterSize: 4096 });
const compressed = await imageOf({ clusterSize: 4096, compression: 'deflate' });
const header = decodeHeader(plain.subarray(0, 4096), name);

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A copy of an image with another value at each of these places of 8 bytes. */
function changed(image: Uint8Array, ...changes: readonly (readonly [place: number, value: bigint])[]): Uint8Array {
  const copy = new Uint8Array(image);
  for (const [place, value] of changes) viewOf(copy).setBigUint64(place, value);
  return copy;
}

function check(image: Uint8Array): Promise<CheckReport> {
  return checkQcow2(memoryDevice(image, { readOnly: true }), { name });
}

function totals({ corruptions, leaks }: CheckReport): readonly [corruptions: number, leaks: number] {
  return [corruptions, leaks];
}

async function assertSameDisk(file: MemoryDevice): Promise<void> {
  const copy = memoryDevice(await contentOf(file));
  await using opened = await openQcow2(copy, { name });
  assert.equal(Buffer.compare(await contentOf(opened), await contentOf(disk)), 0);
}

const firstTable = Number(viewOf(plain).getBigUint64(header.l1TableOffset) & 0xff_ffff_ffff_fe00n);
const firstBlock = Number(viewOf(plain).getBigUint64(header.refcountTableOffset));
const usedEntry =
  firstTable + [...Array(512).keys()].find((index) => viewOf(plain).getBigUint64(firstTable + index * 8))! * 8;
const entry = viewOf(plain).getBigUint64(usedEntry);
const copied = 1n << 63n;

describe('the check of qcow2 images', () => {
  test('finds nothing wrong with what we write, and counts its clusters', async () => {
    for (const image of [plain, compressed]) {
      const report = await check(image);
      assert.deepEqual([...totals(report), ...report.problems], [0, 0]);
      assert.equal(report.clusters?.total, Math.ceil(disk.size / 4096));
      assert.equal(report.imageEndOffset, Math.ceil(image.length / 4096) * 4096);
    }
    assert.equal((await check(plain)).clusters?.compressed, 0);
    assert.ok((await check(compressed)).clusters!.compressed > 10);
  });

  const damage: Readonly<Record<string, { image: Uint8Array; found: [corruptions: number, leaks: number] }>> = {
    'a cluster that is used twice': {
      image: changed(plain, [usedEntry + 8, entry]),
      found: [1, 1],
    },
    'a cluster that nothing uses': { image: changed(plain, [usedEntry, 0n]), found: [0, 1] },
    'an entry that does not call its cluster its own': {
      image: changed(plain, [usedEntry, entry & ~copied]),
      found: [1, 0],
    },
    'refcounts of 0': { image: changed(plain, [firstBlock, 0n]), found: [4, 0] },
    'a refcount table that points nowhere': {
      image: changed(plain, [header.refcountTableOffset, 2n ** 40n]),
      found: [1, 0],
    },
    'a refcount block inside a cluster': {
      image: changed(plain, [header.refcountTableOffset, BigInt(firstBlock + 512)]),
      found: [1, 0],
    },
  };
  for (const [what, { found, image }] of Object.entries(damage)) {
    test(`finds ${what}, and repairs it`, async () => {
      const report = await check(image);
      assert.equal(report.corruptions > 0, found[0] > 0, report.problems.join('\n'));
      if (found[0] === 0) assert.deepEqual(totals(report), found);
      const file = memoryDevice(image);
      const repaired = await checkQcow2(file, { name, repair: 'all' });
      assert.deepEqual(totals(repaired), [0, 0], repaired.problems.join('\n'));
      assert.deepEqual([repaired.corruptionsFixed, repaired.leaksFixed], totals(report));
      assert.deepEqual(totals(await check(await contentOf(file))), [0, 0]);
      if (!what.includes('cluster that')) await assertSameDisk(file);
    });
  }

  test('with repair of leaks alone lets contradictions be', async () => {
    const [used, unused] = [changed(plain, [firstBlock, 0n]), changed(plain, [usedEntry, 0n])];
    const file = memoryDevice(used);
    const report = await checkQcow2(file, { name, repair: 'leaks' });
    assert.deepEqual(
      [report.corruptions, report.corruptionsFixed, report.leaksFixed],
      [totals(await check(used))[0], 0, 0],
    );
    assert.equal(Buffer.compare(await contentOf(file), used), 0);
    const leaks = await checkQcow2(memoryDevice(unused), { name, repair: 'leaks' });
    assert.deepEqual([...totals(leaks), leaks.leaksFixed], [0, 0, 1]);
  });

  test('clears the dirty and the corrupt bit of an image that is in order, and only of one', async () => {
    const marked = changed(plain, [72, 3n]);
    const file = memoryDevice(marked);
    await checkQcow2(file, { name, repair: 'all' });
    assert.equal(Buffer.compare(await contentOf(file), plain), 0);
    const beyond = memoryDevice(changed(marked, [usedEntry, copied | (2n ** 40n)]));
    assert.equal((await checkQcow2(beyond, { name, repair: 'all' })).corruptions, 1);
    assert.equal(viewOf(await contentOf(beyond, 72, 8)).getBigUint64(0), 3n);
  });

  test('refuses to repair where it may not write, and does nothing where nothing is wrong', async () => {
    const readOnly = memoryDevice(changed(plain, [usedEntry, 0n]), { readOnly: true });
    await assert.rejects(checkQcow2(readOnly, { name, repair: 'all' }), (error) => isVarveError(error, 'READ_ONLY'));
    await checkQcow2(memoryDevice(plain, { readOnly: true }), { name, repair: 'all' });
  });

  test('frees nothing where what may use it cannot be read', async () => {
    const image = changed(plain, [usedEntry, 0n]);
    viewOf(image).setUint32(60, 3);
    viewOf(image).setBigUint64(64, BigInt(header.l1TableOffset));
    viewOf(image).setUint32(header.l1TableOffset + 36, 2 ** 31);
    const file = memoryDevice(image);
    const report = await checkQcow2(file, { name, repair: 'all' });
    assert.ok(report.corruptions > 0 && report.problems[0]?.startsWith('nothing is repaired'));
    assert.equal(Buffer.compare(await contentOf(file), image), 0);
  });

  test('a repair that the power ends at any moment can be done anew, and loses nothing', async () => {
    for (const [what, { image }] of Object.entries(damage)) {
      const file = await recordFilter(memoryDevice(image.length + 2 ** 16));
      await file.write(image, 0);
      await file.flush();
      const start = file.events.length;
      await checkQcow2(file, { name, repair: 'all' });
      for (let count = start; count <= file.events.length; count += 1) {
        for (const options of [{}, { dropUnsynced: true }, { reorderSeed: count }]) {
          const rest = file.replay(count, options);
          assert.deepEqual(totals(await checkQcow2(rest, { name, repair: 'all' })), [0, 0], `after ${count} events`);
          if (!what.includes('cluster that')) await assertSameDisk(rest);
        }
      }
    }
  });

  test('ends in a report or an error with a code for whatever bytes', async () => {
    const property = fc.asyncProperty(
      damages(Math.min(plain.length, compressed.length)),
      fc.constantFrom(plain, compressed),
      async (changes, image) => {
        const bytes = damaged(image, changes);
        try {
          const report = await checkQcow2(memoryDevice(bytes), { name, repair: 'all' });
          assert.ok(report.problems.length <= 101);
        } catch (error) {
          assert.ok(isVarveError(error, 'CORRUPT', 'UNSUPPORTED', 'NO_SPACE'), `${error}`);
        }
      },
    );
    await fc.assert(property, { numRuns: 300 });
  });

  test('stops on request', async () => {
    const signal = AbortSignal.abort();
    const checking = checkQcow2(memoryDevice(plain, { readOnly: true }), { name, signal });
    await assert.rejects(checking, (error) => isVarveError(error, 'ABORTED'));
  });
});

test('a table that is used a million times over is read once', async () => {
  // An L1 table of 2^20 entries for the same L2 table, whose 2^18 entries are of one cluster: 2^38 references.
  const clusterSize = 2 ** 21;
  const file = memoryDevice(clusterSize * 40);
  const places = { l1Size: 2 ** 20, l1TableOffset: 4 * clusterSize, refcountTableOffset: clusterSize };
  const head = { ...header, ...places, clusterBits: 21, size: 2 ** 40, refcountTableClusters: 1, extensions: [] };
  file.write(encodeHeader(head), 0);
  file.write(repeated(3 * clusterSize, 2 ** 20), places.l1TableOffset);
  file.write(repeated(9 * clusterSize, 2 ** 18), 3 * clusterSize);
  const { clusters, corruptions, problems } = await checkQcow2(file, { name });
  assert.equal(clusters?.allocated, 2 ** 38);
  assert.ok(corruptions > 2 ** 38 - 2 ** 17);
  assert.ok(problems.some((problem) => problem.includes('cannot go over 65535')));
});

test('a file whose clusters are all over the place takes no more memory than is right', async () => {
  // Each entry of 40 L2 tables of 2 MiB is of a cluster far from all others, in a file of 2^53 bytes, nearly.
  const clusterSize = 2 ** 21;
  const file = memoryDevice(2 ** 52);
  const places = { l1Size: 40, l1TableOffset: 4 * clusterSize, refcountTableOffset: clusterSize };
  const head = { ...header, ...places, clusterBits: 21, size: 2 ** 40, refcountTableClusters: 1, extensions: [] };
  file.write(encodeHeader(head), 0);
  const scattered = new Uint8Array(clusterSize);
  for (let index = 0; index < clusterSize / 8; index += 1) viewOf(scattered).setUint32(index * 8, index * 2);
  file.write(scattered, 6 * clusterSize);
  const l1 = new Uint8Array(40 * 8);
  for (let index = 0; index < 40; index += 1) viewOf(l1).setUint32(index * 8 + 4, 6 * clusterSize);
  file.write(l1, places.l1TableOffset);
  await assert.rejects(
    checkQcow2(file, { name }),
    (error) => isVarveError(error, 'UNSUPPORTED') && error.message.includes(name),
  );
});

/** `count` table entries for the same offset. */
function repeated(offset: number, count: number): Uint8Array {
  const table = new Uint8Array(count * 8);
  for (let index = 0; index < count; index += 1) viewOf(table).setUint32(index * 8 + 4, offset);
  return table;
}
