import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { openFileDevice } from '../../src/block/file-device.ts';
import { assertEqualBytes, contentOf } from '../../src/conformance/device-content.ts';
import {
  applyQcow2Snapshot,
  createQcow2Snapshot,
  deleteQcow2Snapshot,
} from '../../src/format/qcow2/snapshots/edit-snapshots.ts';
import { openQcow2Snapshot } from '../../src/format/qcow2/snapshots/open-snapshot.ts';
import { assertClean, imageDirectory, openPath, qemuImg, qemuIo } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');
const mebibyte = 2 ** 20;

/** What is done to an image with up to five snapshots called 0 to 4, by us or by QEMU. */
const step = fc.record({
  action: fc.constantFrom('write', 'write', 'create', 'apply', 'delete'),
  byQemu: fc.boolean(),
  snapshot: fc.nat(4),
  place: fc.nat(15),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const kinds = {
  'version 3': 'cluster_size=4k',
  'version 2': 'compat=0.10,cluster_size=4k',
  'clusters of 64 KiB': 'cluster_size=64k',
  'extended L2 entries': 'cluster_size=16k,extended_l2=on',
  'refcounts of 4 bits': 'cluster_size=4k,refcount_bits=4',
};

async function changeByUs(path: string, { action, snapshot }: Step): Promise<void> {
  await using file = await openFileDevice(path, { readOnly: false });
  if (action === 'create') await createQcow2Snapshot(file, path, { name: `s${snapshot}` });
  if (action === 'apply') await applyQcow2Snapshot(file, path, `s${snapshot}`);
  if (action === 'delete') await deleteQcow2Snapshot(file, path, `s${snapshot}`);
}

const qemuOptions: Readonly<Record<string, string>> = { create: '-c', apply: '-a', delete: '-d' };

/** Does a step if it can be done; `kept` are the snapshots that there are, with their content. */
async function take(path: string, kept: Map<number, Buffer>, given: Step, seed: number): Promise<void> {
  const { action, byQemu, place, snapshot } = given;
  if (action === 'write') {
    await qemuIo(path, `write -P ${1 + (seed % 250)} ${place * 64}k ${20 + place * 9}k`);
    return;
  }
  if (kept.has(snapshot) === (action === 'create')) return;
  if (action === 'create') kept.set(snapshot, await rawContent(path));
  if (byQemu) await qemuImg('snapshot', qemuOptions[action]!, `s${snapshot}`, path);
  else await changeByUs(path, given);
  if (action === 'apply') assert.equal(Buffer.compare(await rawContent(path), kept.get(snapshot)!), 0);
  if (action === 'delete') kept.delete(snapshot);
}

async function rawContent(path: string, ...options: string[]): Promise<Buffer> {
  const raw = `${path}.raw`;
  await qemuImg('convert', ...options, '-O', 'raw', path, raw);
  const content = await readFile(raw);
  await rm(raw);
  return content;
}

async function assertSnapshots(path: string, kept: ReadonlyMap<number, Buffer>): Promise<void> {
  for (const [snapshot, content] of kept) {
    await using disk = await openQcow2Snapshot(await openFileDevice(path, { readOnly: true }), `s${snapshot}`, {
      name: path,
    });
    assertEqualBytes(await contentOf(disk), content, `snapshot ${snapshot}`);
    assert.equal(Buffer.compare(await rawContent(path, '-l', `s${snapshot}`), content), 0);
  }
}

describe('internal snapshots of qcow2 images', { skip }, () => {
  for (const [kind, options] of Object.entries(kinds)) {
    test(`${kind}: made, applied, deleted and read by us and by QEMU alike`, async () => {
      const property = fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 12 }), async (steps) => {
        await using directory = await imageDirectory();
        const path = directory.path('image');
        await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, path, `${2 * mebibyte}`);
        const kept = new Map<number, Buffer>();
        for (const [index, each] of steps.entries()) await take(path, kept, each, index);
        await assertClean(path);
        await assertSnapshots(path, kept);
        const { snapshots = [] } = JSON.parse(await qemuImg('info', '--output=json', path));
        await using disk = await openPath(path);
        const ours = disk.information().snapshots ?? [];
        const seen = snapshots.map((one: { id: string; name: string; 'date-sec': number }) => [
          one.id,
          one.name,
          one['date-sec'],
        ]);
        assert.deepEqual(
          ours.map(({ id, name, timeMs }) => [id, name, Math.floor(timeMs / 1000)]),
          seen,
        );
      });
      await fc.assert(property, { numRuns: 2 });
    });
  }

  test('the disk has the size again that it had', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image');
    await qemuImg('create', '-q', '-f', 'qcow2', path, '1M');
    await qemuIo(path, 'write -P 1 0 64k');
    await changeByUs(path, { action: 'create', snapshot: 0, byQemu: false, place: 0 });
    await qemuImg('resize', path, '900M');
    await qemuIo(path, 'write -P 2 800M 64k');
    await changeByUs(path, { action: 'apply', snapshot: 0, byQemu: false, place: 0 });
    await assertClean(path);
    assert.equal(JSON.parse(await qemuImg('info', '--output=json', path))['virtual-size'], mebibyte);
    await qemuIo(path, 'read -P 1 0 64k');
  });

  test('are refused where refcounts are too narrow, and the image stays as it was', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image');
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'refcount_bits=1', path, '1M');
    await qemuIo(path, 'write -P 1 0 300k');
    const making = changeByUs(path, { action: 'create', snapshot: 0, byQemu: false, place: 0 });
    await assert.rejects(making, { code: 'UNSUPPORTED', message: /image/ });
    await assertClean(path);
    const { 'format-specific': details } = JSON.parse(await qemuImg('info', '--output=json', path));
    assert.equal(details.data.corrupt, false);
    await qemuIo(path, 'read -P 1 0 300k', 'write -P 2 0 64k');
  });
});
