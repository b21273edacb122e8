import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { contentOf } from '../../src/conformance/device-content.ts';
import { compressible } from '../../src/conformance/image-format-samples.ts';
import { checkQcow2 } from '../../src/format/qcow2/check/check-qcow2.ts';
import { type ImageDirectory, imageDirectory, qemuImg, qemuIo } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');

/** What `qemu-img check` and we count alike. */
interface Counts {
  readonly corruptions: number;
  readonly leaks: number;
  readonly clusters?: object;
  readonly imageEndOffset?: number | undefined;
}

/** What QEMU says of an image; undefined where it refuses it, or cannot tell what some refcounts are. */
async function qemuCheck(path: string): Promise<Counts | undefined> {
  // Its status says what it found.
  const output = await promisify(execFile)('qemu-img', ['check', '--output=json', path]).catch((error) => error);
  if (!output.stdout.startsWith('{')) return undefined;
  const report = JSON.parse(output.stdout);
  if (report['check-errors'] !== 0) return undefined;
  const clusters = {
    total: report['total-clusters'],
    allocated: report['allocated-clusters'] ?? 0,
    compressed: report['compressed-clusters'] ?? 0,
    fragmented: report['fragmented-clusters'] ?? 0,
  };
  const { corruptions = 0, leaks = 0 } = report;
  return { corruptions, leaks, clusters, imageEndOffset: report['image-end-offset'] };
}

async function ourCheck(image: Uint8Array): Promise<Counts> {
  const report = await checkQcow2(memoryDevice(image, { readOnly: true }), { name: 'sample' });
  const { clusters, corruptions, imageEndOffset, leaks } = report;
  return { corruptions, leaks, clusters: clusters!, imageEndOffset };
}

const commands = ['write -P 1 0 300k', 'write -P 2 1M 200k', 'write -z 2M 64k', 'write -P 3 3M 64k', 'discard 3M 32k'];

async function created(path: string, options: string): Promise<void> {
  await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, path, '4M');
  await qemuIo(path, ...commands);
}

async function withSnapshots(path: string, options: string): Promise<void> {
  await created(path, options);
  for (const [index, name] of ['one', 'two', 'three'].entries()) {
    await qemuImg('snapshot', '-c', name, path);
    await qemuIo(path, `write -P ${9 + index} ${index}M 100k`);
  }
  await qemuImg('snapshot', '-d', 'two', path);
}

async function withBitmaps(path: string): Promise<void> {
  await created(path, 'cluster_size=4k');
  await qemuImg('bitmap', '--add', path, 'first');
  await qemuImg('bitmap', '--add', '-g', '4096', path, 'second');
  await qemuIo(path, 'write -P 7 2M 1M');
}

async function compressed(path: string, options: string): Promise<void> {
  const raw = `${path}.raw`;
  await writeFile(raw, compressible(400_384, 1));
  await qemuImg('convert', '-c', '-f', 'raw', '-O', 'qcow2', '-o', options, raw, path);
}

const kinds: Readonly<Record<string, (path: string) => Promise<void>>> = {
  ...Object.fromEntries(
    [1, 2, 4, 8, 16, 32, 64].map((bits) => [
      `refcounts of ${bits} bits`,
      (path: string) => created(path, `cluster_size=4k,refcount_bits=${bits}`),
    ]),
  ),
  'version 2': (path) => created(path, 'compat=0.10,cluster_size=1k'),
  'clusters of 512 bytes': (path) => created(path, 'cluster_size=512'),
  'clusters of 2 MiB': (path) => created(path, 'cluster_size=2M'),
  'extended L2 entries': (path) => created(path, 'cluster_size=16k,extended_l2=on'),
  'metadata in advance': (path) => created(path, 'cluster_size=4k,preallocation=metadata'),
  snapshots: (path) => withSnapshots(path, 'cluster_size=4k'),
  'snapshots in version 2': (path) => withSnapshots(path, 'cluster_size=1k,compat=0.10'),
  'snapshots with extended L2 entries': (path) => withSnapshots(path, 'cluster_size=16k,extended_l2=on'),
  bitmaps: withBitmaps,
  deflate: (path) => compressed(path, 'cluster_size=4k'),
  zstd: (path) => compressed(path, 'cluster_size=64k,compression_type=zstd'),
};

/** Places of 8 bytes in an image that say something about clusters. */
function metadataPlaces(image: Uint8Array): number[] {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const clusterSize = 2 ** view.getUint32(20);
  const entriesAt = (offset: number, length: number): number[] =>
    Array.from({ length: length / 8 }, (_, index) => offset + index * 8).filter((place) => place + 8 <= image.length);
  const targetsOf = (places: readonly number[]): number[] =>
    places.map((place) => Number(view.getBigUint64(place) & 0xff_ffff_ffff_fe00n)).filter((target) => target > 0);
  const l1 = entriesAt(Number(view.getBigUint64(40)), view.getUint32(36) * 8);
  const table = entriesAt(Number(view.getBigUint64(48)), clusterSize);
  const l2 = targetsOf(l1).flatMap((offset) => entriesAt(offset, clusterSize));
  const blocks = targetsOf(table).flatMap((offset) => entriesAt(offset, clusterSize).slice(0, 64));
  const used = (places: number[]): number[] => places.filter((place) => view.getBigUint64(place) !== 0n);
  return [...l1, ...used(table), ...used(table), ...used(l2), ...l2.slice(0, 50), ...blocks];
}

/** A value for 8 bytes of metadata that hold `old`. */
function damagedValue(kind: number, old: bigint, bit: number, cluster: number): bigint {
  const offset = BigInt(cluster);
  const values = [0n, old ^ (1n << 63n), old ^ (1n << BigInt(bit)), offset, offset | (1n << 63n), old + 512n, old | 1n];
  return BigInt.asUintN(64, [...values, (1n << 62n) | offset | BigInt(bit), offset * 2n ** 21n][kind]!);
}

const change = fc.tuple(fc.nat(1e6), fc.nat(8), fc.nat(63), fc.nat(1e6));

function damaged(image: Uint8Array, places: readonly number[], changes: readonly [number, number, number, number][]) {
  const copy = new Uint8Array(image);
  const view = new DataView(copy.buffer);
  const clusterSize = 2 ** view.getUint32(20);
  for (const [at, kind, bit, cluster] of changes) {
    const place = places[at % places.length]!;
    const offset = (cluster % (image.length / clusterSize + 2)) * clusterSize;
    view.setBigUint64(place, damagedValue(kind, view.getBigUint64(place), bit, Math.floor(offset)));
  }
  return copy;
}

async function assertSameFindings(directory: ImageDirectory, image: Uint8Array): Promise<Counts | undefined> {
  const expected = await qemuCheck(await directory.save('checked', image));
  if (expected !== undefined) assert.deepEqual(await ourCheck(image), expected);
  return expected;
}

describe('qcow2 images, checked', { skip }, () => {
  for (const [kind, create] of Object.entries(kinds)) {
    test(`${kind}: we find what qemu-img check finds, and it agrees to what we repaired`, async () => {
      await using directory = await imageDirectory();
      const path = directory.path('image');
      await create(path);
      const image = await readFile(path);
      assert.equal((await assertSameFindings(directory, image))?.corruptions, 0);
      const places = metadataPlaces(image);
      const property = fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const broken = damaged(image, places, changes);
        await assertSameFindings(directory, broken);
        const file = memoryDevice(broken);
        const report = await checkQcow2(file, { name: 'sample', repair: 'all' });
        const after = await qemuCheck(await directory.save('repaired', await contentOf(file)));
        if (after === undefined) return;
        const { corruptions, leaks } = report;
        assert.deepEqual([after.corruptions, after.leaks], [corruptions, leaks]);
      });
      await fc.assert(property, { numRuns: 5 });
    });
  }

  test('an image whose writer was killed is repaired, and is not dirty any more', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image');
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'lazy_refcounts=on', path, '4M');
    await assert.rejects(qemuIo(path, 'write -P 5 0 1M', 'abort'));
    const file = memoryDevice(await readFile(path));
    const before = await checkQcow2(file, { name: 'sample' });
    assert.ok(before.corruptions > 0);
    const report = await checkQcow2(file, { name: 'sample', repair: 'all' });
    assert.deepEqual([report.corruptions, report.corruptionsFixed], [0, before.corruptions]);
    const repaired = await directory.save('repaired', await contentOf(file));
    assert.deepEqual((await qemuCheck(repaired))?.corruptions, 0);
    const information = JSON.parse(await qemuImg('info', '--output=json', repaired));
    assert.equal(information['dirty-flag'], false);
    await qemuIo(repaired, 'read -P 5 0 1M');
  });
});
