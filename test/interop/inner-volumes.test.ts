import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BlockDevice } from '../../src/block/block-device.ts';
import { openFileDevice } from '../../src/block/file-device.ts';
import type { GuestVolume } from '../../src/guest/guest-volume.ts';
import { openGuest } from '../../src/guest/open-guest.ts';
import { findGuestVolumes } from '../../src/guest/volume-tree.ts';
import { guestKernel } from '../guest/guest-kernel.ts';
import { innerPassphrase, innerVolumeTools, makeInnerVolumes } from '../guest/inner-volumes.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-system-x86_64', 'busybox', ...innerVolumeTools);
const askSecret = async () => Buffer.from(innerPassphrase);

test('volumes of LVM2, md and LUKS that Linux made are read byte by byte as Linux reads them', { skip }, async (t) => {
  const kernel = await guestKernel();
  if ('reason' in kernel) return t.skip(kernel.reason);
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  t.after(() => rm(directory, { recursive: true }));
  const { path, sums } = await makeInnerVolumes(directory, kernel);
  await using disk = await openFileDevice(path, { readOnly: true });
  const options = { name: 'disk.raw', askSecret };
  assert.equal(sums.size, 17);
  await t.test('each by its own name', async () => {
    await using guest = await openGuest(disk, options);
    // Those that no crypttab names.
    const unnamed = new Map([
      ['/dev/mapper/old', '/dev/sda10'],
      ['/dev/mapper/flower', '/dev/sda14'],
    ]);
    for (const [name, sum] of sums) {
      const outer = unnamed.get(name);
      const isMeant = (each: GuestVolume) =>
        outer === undefined ? each.name === name || each.aliases.includes(name) : each.madeOf[0] === outer;
      const volume = guest.volumes.find(isMeant);
      assert.equal(volume?.device && (await sumOf(volume.device)), sum, name);
    }
  });
  await t.test('where the system on them mounts them', async () => {
    await using guest = await openGuest(disk, options);
    const mounted = guest.volumes.filter(({ directory: where }) => where !== undefined);
    assert.deepEqual(
      mounted.map(({ directory: where, name }) => [where, name]),
      [
        ['/data', '/dev/md2'],
        ['/var', '/dev/my-vg/linear'],
        ['/home', '/dev/my-vg/striped'],
        ['/srv', '/dev/my-vg/raid-1'],
        ['/', '/dev/inner/data'],
      ],
    );
    const { fileSystem, node } = await guest.tree.resolve('/srv/name');
    const content = new Uint8Array(64);
    assert.equal(
      new TextDecoder().decode(content.subarray(0, await fileSystem.read(node, content, 0))),
      'this is raid1\n',
    );
  });
  await t.test('where their bytes are on the disk', async () => {
    for (const volume of await findGuestVolumes(disk, options)) {
      if (volume.device === undefined || volume.isEncrypted || volume.placesOnDisk === undefined) continue;
      const [start, length] = [Math.floor(volume.length / 3), Math.min(300_000, volume.length / 3)];
      const [direct, gathered] = [new Uint8Array(length), new Uint8Array(length)];
      await volume.device.read(direct, start);
      for (const piece of volume.placesOnDisk(start, length)) {
        const part = gathered.subarray(piece.start - start, piece.start - start + piece.length);
        if (piece.place !== undefined) await disk.read(part, piece.place);
      }
      assert.deepEqual(gathered, direct, volume.name);
    }
  });
  await t.test('what is encrypted is named without a passphrase', async () => {
    const volumes = await findGuestVolumes(disk, { name: 'disk.raw' });
    const locked = volumes.find(({ name }) => name === '/dev/sda9');
    assert.deepEqual([locked?.identity?.type, locked?.problem?.code], ['crypto_LUKS', 'PERMISSION']);
    const wrong = async () => Buffer.from('open sesam');
    await assert.rejects(findGuestVolumes(disk, { name: 'disk.raw', askSecret: wrong }), /fits none of its key slots/);
  });
});

async function sumOf(device: BlockDevice): Promise<string> {
  const hash = createHash('md5');
  for (let offset = 0; offset < device.size; offset += 2 ** 20) {
    const piece = new Uint8Array(Math.min(2 ** 20, device.size - offset));
    await device.read(piece, offset);
    hash.update(piece);
  }
  return hash.digest('hex');
}
