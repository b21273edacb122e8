import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  areaLength,
  dataStart,
  metadataSample,
  physicalVolumeSample,
  volumeSample,
} from '../../../test/volume/lvm2-sample.ts';
import { isVarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { pattern } from '../../conformance/device-content.ts';
import { assembleGroups, type LogicalVolume } from './assemble-groups.ts';
import { readPhysicalVolume } from './physical-volume.ts';

const extent = 4096;
const ids = ['AAAAAAbbbbccccddddeeeeffffGGGGGG', 'HHHHHHiiiijjjjkkkkllllmmmmNNNNNN'];
const dashedIds = ids.map((id) => id.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/, '$1-$2-$3-$4-$5-$6-$7'));
const contents = [pattern(64 * extent, 1), pattern(64 * extent, 2)];

/** A physical volume with 64 extents of its own pattern. */
function deviceOf(index: number, text: string, textStart?: number): BlockDevice {
  const device = memoryDevice(dataStart + 64 * extent, { readOnly: false });
  device.write(physicalVolumeSample({ id: ids[index]!, text, ...(textStart !== undefined && { textStart }) }), 0);
  device.write(contents[index]!, dataStart);
  return device;
}

async function assemble(devices: readonly BlockDevice[]) {
  const members = [];
  for (const [index, device] of devices.entries()) members.push(await readPhysicalVolume(device, `pv${index}`));
  return await assembleGroups(members);
}

async function contentOf(volume: LogicalVolume | undefined): Promise<Uint8Array> {
  if (volume?.device === undefined) throw volume?.problem ?? new Error('there is no such volume');
  const bytes = new Uint8Array(volume.device.size);
  await volume.device.read(bytes, 0);
  return bytes;
}

function extents(index: number, first: number, count: number): Uint8Array {
  return contents[index]!.subarray(first * extent, (first + count) * extent);
}

const linear = (start: number, count: number, pv: string, first: number) =>
  `start_extent = ${start}\nextent_count = ${count}\ntype = "striped"\nstripe_count = 1\nstripes = ["${pv}", ${first}]`;

const volumes = [
  volumeSample('lin-ear', [linear(0, 2, 'pv0', 5), linear(2, 3, 'pv1', 0)]),
  volumeSample('first', [linear(0, 1, 'pv0', 60)]),
  volumeSample('striped', [
    'start_extent = 0\nextent_count = 4\ntype = "striped"\nstripe_count = 2\nstripe_size = 4\nstripes = ["pv0", 10, "pv1", 20]',
  ]),
  volumeSample('mirror', [
    'start_extent = 0\nextent_count = 1\ntype = "raid1"\ndevice_count = 2\nraids = ["m_rmeta_0", "m_rimage_0", "m_rmeta_1", "m_rimage_1"]',
  ]),
  volumeSample('m_rimage_0', [linear(0, 1, 'pv1', 40)], '"READ"'),
  volumeSample('m_rimage_1', [linear(0, 1, 'pv0', 41)], '"READ"'),
  volumeSample('cached', ['start_extent = 0\nextent_count = 1\ntype = "cache"\ncache_pool = "p"\norigin = "o"']),
  volumeSample('snap', [linear(0, 1, 'pv0', 50)], '"READ"'),
  volumeSample('snapshot0', [
    'start_extent = 0\nextent_count = 1\ntype = "snapshot"\norigin = "first"\ncow_store = "snap"',
  ]),
].join('\n');
const text = metadataSample(dashedIds, volumes, 3);

describe('volume groups', () => {
  test('volumes are read from where their segments say', async () => {
    const { problems, volumes: found } = await assemble([deviceOf(0, text), deviceOf(1, text)]);
    assert.equal(problems.size, 0);
    const named = new Map(found.map((each) => [each.name, each]));
    assert.deepEqual(
      [...named.keys()],
      ['lin-ear', 'first', 'striped', 'mirror', 'cached', 'snap'].map((name) => `/dev/vg/${name}`),
    );
    assert.equal(named.get('/dev/vg/lin-ear')?.aliases[0], '/dev/mapper/vg-lin--ear');
    const linearContent = Buffer.concat([extents(0, 5, 2), extents(1, 0, 3)]);
    assert.deepEqual(Buffer.from(await contentOf(named.get('/dev/vg/lin-ear'))), linearContent);
    assert.deepEqual(Buffer.from(await contentOf(named.get('/dev/vg/mirror'))), Buffer.from(extents(1, 40, 1)));
    const stripes = Array.from({ length: 8 }, (_, index) => {
      const from = extents(index % 2, index % 2 === 0 ? 10 : 20, 2);
      return from.subarray(Math.floor(index / 2) * 2048, Math.floor(index / 2) * 2048 + 2048);
    });
    assert.deepEqual(Buffer.from(await contentOf(named.get('/dev/vg/striped'))), Buffer.concat(stripes));
    assert.match(named.get('/dev/vg/cached')!.problem!.message, /of the kind cache;/);
    assert.match(named.get('/dev/vg/snap')!.problem!.message, /the snapshot vg\/snap: it has no header/);
  });

  test('without one of the physical volumes, what is on the others is read', async () => {
    const { volumes: found } = await assemble([deviceOf(0, text)]);
    const named = new Map(found.map((each) => [each.name, each]));
    assert.deepEqual(await contentOf(named.get('/dev/vg/first')), new Uint8Array(extents(0, 60, 1)));
    // The first leg is on the one that is missing.
    assert.deepEqual(await contentOf(named.get('/dev/vg/mirror')), new Uint8Array(extents(0, 41, 1)));
    const { problem } = named.get('/dev/vg/lin-ear')!;
    assert.equal(problem?.code, 'NOT_FOUND');
    assert.match(problem!.message, /vg\/lin-ear: it is on a physical volume that is not on this disk \(\/dev\/vd1/);
  });

  test('the newest metadata counts, wherever it is, and a text goes round the end of its ring', async () => {
    const newer = metadataSample(dashedIds, volumeSample('newer', [linear(0, 1, 'pv0', 7)]), 4);
    const { volumes: found } = await assemble([deviceOf(0, text), deviceOf(1, newer, areaLength - 100)]);
    assert.deepEqual(
      found.map(({ name }) => name),
      ['/dev/vg/newer'],
    );
    assert.deepEqual(await contentOf(found[0]), new Uint8Array(extents(0, 7, 1)));
  });

  test('metadata that is damaged is left out and named', async () => {
    const damaged = deviceOf(1, text);
    await damaged.write(Uint8Array.of(0x7e), 4096 + 700);
    const { problems, volumes: found } = await assemble([deviceOf(0, text), damaged]);
    assert.equal(found.length, 6);
    assert.match(
      problems.get('pv1')!.message,
      /LVM2's metadata at byte 4096: the checksum of its text at byte 512 is wrong/,
    );
  });

  const bad: readonly (readonly [why: string, volume: string, message: RegExp])[] = [
    ['is a part of itself', volumeSample('loop', [linear(0, 1, 'loop', 0)]), /a part of itself/],
    ['is made of what is not there', volumeSample('lost', [linear(0, 1, 'gone', 0)]), /no logical volume gone/],
    ['reaches past the end', volumeSample('long', [linear(0, 65, 'pv0', 0)]), /of what has 393216 bytes/],
    ['is far away', volumeSample('far', [linear(0, 1, 'pv0', 2 ** 45)]), /too far away/],
    ['has no places', volumeSample('none', ['start_extent = 0\nextent_count = 1\ntype = "striped"']), /no stripes/],
  ];
  for (const [why, volume, message] of bad) {
    test(`a volume that ${why} is CORRUPT, and the others are read`, async () => {
      const both = metadataSample(dashedIds, `${volume}\n${volumeSample('good', [linear(0, 1, 'pv0', 1)])}`);
      const { volumes: found } = await assemble([deviceOf(0, both)]);
      assert.equal(found[0]?.problem?.code, 'CORRUPT');
      assert.match(found[0].problem.message, message);
      assert.deepEqual(await contentOf(found[1]), new Uint8Array(extents(0, 1, 1)));
    });
  }

  test('a chain of volumes that is too long is CORRUPT', async () => {
    const chain = Array.from({ length: 300 }, (_, index) =>
      volumeSample(`v${index}`, [linear(0, 1, index === 0 ? 'pv0' : `v${index - 1}`, 0)]),
    );
    const { volumes: found } = await assemble([deviceOf(0, metadataSample(dashedIds, chain.join('\n')))]);
    assert.deepEqual(await contentOf(found[60]), new Uint8Array(extents(0, 0, 1)));
    assert.equal(found.at(-1)?.problem?.code, 'CORRUPT');
  });

  test('a label whose checksum is wrong is CORRUPT', async () => {
    const device = deviceOf(0, text);
    await device.write(Uint8Array.of(0x7e), 512 + 40);
    await assert.rejects(
      readPhysicalVolume(device, 'pv0'),
      (error) => isVarveError(error, 'CORRUPT') && error.message.includes("LVM2's label at byte 512"),
    );
  });

  test('any text with a good checksum ends in volumes or in problems with a code', async () => {
    const property = fc.asyncProperty(
      fc.array(
        fc.tuple(fc.nat(text.length - 1), fc.constantFrom('{', '}', '"', '[', '9999999999', '=', '\n', '#', '-1', '')),
        {
          minLength: 1,
          maxLength: 8,
        },
      ),
      async (edits) => {
        let edited = text;
        for (const [at, insert] of edits) edited = edited.slice(0, at) + insert + edited.slice(at + 1);
        const { problems, volumes: found } = await assemble([deviceOf(0, edited)]);
        for (const problem of problems.values()) assert.equal(problem.code, 'CORRUPT');
        for (const { device, problem } of found) {
          assert.ok(problem === undefined ? device !== undefined : isVarveError(problem));
        }
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });

  test('any damage of a physical volume ends in what it was, or an error with a code', async () => {
    const property = fc.asyncProperty(fc.nat(8191), fc.nat(255), async (place, value) => {
      const device = deviceOf(0, text);
      await device.write(Uint8Array.of(value), place);
      try {
        await assemble([device]);
      } catch (error) {
        assert.ok(isVarveError(error, 'CORRUPT'), `${error}`);
      }
    });
    await fc.assert(property, { numRuns: 150 });
  });
});
