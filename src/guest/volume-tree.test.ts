import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { luks2ContentOffset, luks2Sample } from '../../test/luks/luks2-sample.ts';
import { dataStart, metadataSample, physicalVolumeSample, volumeSample } from '../../test/volume/lvm2-sample.ts';
import { mdSample } from '../../test/volume/md-sample.ts';
import { isVarveError } from '../base/varve-error.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { contentOf, pattern } from '../conformance/device-content.ts';
import { findGuestVolumes } from './volume-tree.ts';

const extent = 4096;
const passphrase = 'open sesame';
const id = 'AAAAAAbbbbccccddddeeeeffffGGGGGG';
const dashedId = 'AAAAAA-bbbb-cccc-dddd-eeee-ffff-GGGGGG';
const data = pattern(64 * extent, 3);
const uuid = '6f7c0000-0000-4000-8000-000000000000';

/** An encrypted disk that is a physical volume, with a volume of two extents. */
function encryptedGroup(): Uint8Array {
  const segment = 'start_extent = 0\nextent_count = 2\ntype = "striped"\nstripe_count = 1\nstripes = ["pv0", 5]';
  const text = metadataSample([dashedId], volumeSample('root', [segment]));
  const content = Buffer.concat([physicalVolumeSample({ id, text }), data]);
  const key = pattern(64, 9);
  return luks2Sample({ passphrase, key, kdf: 'argon2id', sectorLength: 512, content });
}

function deviceOf(bytes: Uint8Array) {
  const device = memoryDevice(bytes.length, { readOnly: false });
  device.write(bytes, 0);
  return device;
}

test('volumes inside of volumes are found, each after what it is made of', async () => {
  const askSecret = async (question: string) => {
    assert.equal(question, 'Passphrase of disk, /dev/sda');
    return Buffer.from(passphrase);
  };
  const volumes = await findGuestVolumes(deviceOf(encryptedGroup()), { name: 'disk', askSecret });
  const described = volumes.map(({ identity, isEncrypted, madeOf, name }) => [
    name,
    identity?.type,
    madeOf,
    isEncrypted,
  ]);
  assert.deepEqual(described, [
    ['/dev/sda', 'crypto_LUKS', [], false],
    [`/dev/mapper/luks-${uuid}`, 'LVM2_member', ['/dev/sda'], true],
    ['/dev/vg/root', undefined, [`/dev/mapper/luks-${uuid}`], true],
  ]);
  const root = volumes.at(-1)!;
  assert.deepEqual(await contentOf(root.device!), data.slice(5 * extent, 7 * extent));
  const place = luks2ContentOffset + dataStart + 5 * extent;
  assert.deepEqual([...root.placesOnDisk!(100, 50)], [{ start: 100, length: 50, place: place + 100 }]);
});

test('what is encrypted stays closed without a passphrase, or an empty one', async () => {
  for (const askSecret of [undefined, async () => new Uint8Array()]) {
    const [volume, ...others] = await findGuestVolumes(deviceOf(encryptedGroup()), { name: 'disk', askSecret });
    assert.deepEqual([volume?.identity?.uuid, volume?.problem?.code, others], [uuid, 'PERMISSION', []]);
    assert.match(volume!.problem!.message, /disk, \/dev\/sda: it is encrypted with LUKS; give its passphrase/);
  }
});

test('a passphrase that opens nothing is an error', async () => {
  const found = findGuestVolumes(deviceOf(encryptedGroup()), {
    name: 'disk',
    askSecret: async () => Buffer.from('no'),
  });
  await assert.rejects(found, (error) => isVarveError(error, 'PERMISSION'));
});

test('partitions of an array are volumes', async () => {
  const [dataOffset, dataSize] = [32, 200];
  const disk = memoryDevice(256 * 512, { readOnly: false });
  const sample = { superOffset: 8, level: 1, role: 0, diskCount: 1, name: 'host:0', dataOffset, dataSize };
  await disk.write(mdSample(sample), 4096);
  const table = Buffer.alloc(512);
  // One partition of 50 sectors from sector 10 on.
  table.set([0, 0, 0, 0, 0x83, 0, 0, 0, 10, 0, 0, 0, 50, 0, 0, 0], 446);
  table.set([0x55, 0xaa], 510);
  await disk.write(table, dataOffset * 512);
  await disk.write(pattern(50 * 512, 1), (dataOffset + 10) * 512);
  const volumes = await findGuestVolumes(disk, { name: 'disk' });
  assert.deepEqual(
    volumes.map(({ madeOf, name }) => [name, madeOf]),
    [
      ['/dev/sda', []],
      ['/dev/md0', ['/dev/sda']],
      ['/dev/md0p1', ['/dev/md0']],
    ],
  );
  assert.deepEqual(await contentOf(volumes[2]!.device!), pattern(50 * 512, 1));
  assert.deepEqual([...volumes[2]!.placesOnDisk!(0, 512)], [{ start: 0, length: 512, place: 42 * 512 }]);
});

test('any damage is named where it is, or is an error with a code', async () => {
  const bytes = encryptedGroup();
  const askSecret = async () => Buffer.from(passphrase);
  const property = fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), async (place, value) => {
    const device = deviceOf(bytes);
    await device.write(Uint8Array.of(value), place);
    try {
      const volumes = await findGuestVolumes(device, { name: 'disk', askSecret });
      for (const { device: each, problem } of volumes) assert.ok(each !== undefined || isVarveError(problem));
    } catch (error) {
      assert.ok(isVarveError(error, 'CORRUPT', 'PERMISSION', 'UNSUPPORTED'), `${error}`);
    }
  });
  await fc.assert(property, { numRuns: 100 });
});
