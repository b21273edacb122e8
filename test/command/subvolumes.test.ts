import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { openGuest } from '../../src/guest/open-guest.ts';
import { openDisk } from '../../src/image/open-disk.ts';
import { guestFileTree } from '../../src/server/guest-tree/file-place.ts';
import { ExportFiles } from '../../src/server/nfs/export-files.ts';
import { fillMounted, whyNoMount } from '../filesystem/mounted-image.ts';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { Workplace } from './varve.ts';

const skip = skipWithout('mkfs.btrfs', 'btrfs') || whyNoMount('btrfs');
const mebibyte = 2 ** 20;
const uuid = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0';

/** How a distribution lays a Btrfs out. */
interface Layout {
  /** The subvolumes, by their paths; what is inside of others after them. */
  readonly subvolumes: readonly string[];
  /** What is the root, and what is mounted where in it. */
  readonly root: string;
  readonly mounts: Readonly<Record<string, string>>;
  /** Whether fstab names the root, or the file system itself does. */
  readonly isDefault?: boolean;
}

const layouts: Readonly<Record<string, Layout>> = {
  'Debian and Ubuntu': { subvolumes: ['@', '@home'], root: '@', mounts: { '/home': 'subvol=@home' } },
  Fedora: { subvolumes: ['root', 'home'], root: 'root', mounts: { '/home': 'subvol=home,compress=zstd:1' } },
  openSUSE: {
    ...{ subvolumes: ['@', '@/home', '@/.snapshots', '@/.snapshots/1'], root: '@/.snapshots/1', isDefault: true },
    mounts: { '/home': 'subvol=/@/home', '/.snapshots': 'subvolid=258' },
  },
};

async function makeDisk(t: TestContext, { subvolumes, root, mounts, isDefault = false }: Layout): Promise<Workplace> {
  const place = new Workplace(t);
  const disk = join(place.directory, 'disk.raw');
  fs.writeFileSync(disk, '');
  fs.truncateSync(disk, 128 * mebibyte);
  await run('mkfs.btrfs', ['-q', '-U', uuid, disk]);
  await fillMounted(disk, async (directory) => {
    const at = (...names: string[]) => join(directory, ...names);
    for (const path of subvolumes) await run('btrfs', ['-q', 'subvolume', 'create', at(path)]);
    for (const name of ['etc', 'home', '.snapshots']) fs.mkdirSync(at(root, name), { recursive: true });
    const first = `UUID=${uuid} / btrfs ${isDefault ? 'defaults' : `defaults,subvol=${root}`} 0 0`;
    const others = Object.entries(mounts).map(([path, options]) => `UUID=${uuid} ${path} btrfs ${options} 0 0`);
    fs.writeFileSync(at(root, 'etc', 'fstab'), `${[first, ...others].join('\n')}\n`);
    fs.writeFileSync(at(root, 'etc', 'hostname'), 'before\n');
    fs.writeFileSync(at(subvolumes.find((path) => path.endsWith('home'))!, 'letter'), 'from home');
    await run('btrfs', ['-q', 'subvolume', 'snapshot', at(root), at('a snapshot')]);
    fs.writeFileSync(at(root, 'etc', 'hostname'), 'now');
    if (isDefault) await run('btrfs', ['subvolume', 'set-default', at(root)]);
  });
  return place;
}

describe('a disk with subvolumes', { skip }, () => {
  for (const [distribution, layout] of Object.entries(layouts)) {
    test(`is seen as its system would mount it, in the layout of ${distribution}`, async (t) => {
      const place = await makeDisk(t, layout);
      assert.equal(await place.varve('cat', './disk.raw:/etc/hostname'), 'now');
      assert.equal(await place.varve('cat', './disk.raw:/home/letter'), 'from home');
      assert.equal(await place.varve('ls', './disk.raw:/home'), 'letter');
      const [volume] = JSON.parse(await place.varve('filesystems', './disk.raw', '--json'));
      assert.deepEqual([volume.type, volume.uuid, volume.mountedOn], ['btrfs', uuid, '/']);
      if (distribution !== 'openSUSE') return;
      assert.equal(await place.varve('ls', './disk.raw:/.snapshots'), '1');
    });

    test(`is served so, each mount with numbers of its own, in the layout of ${distribution}`, async (t) => {
      const place = await makeDisk(t, layout);
      await using disk = await openDisk(join(place.directory, 'disk.raw'));
      await using guest = await openGuest(disk.device, { name: 'disk.raw', askSecret: undefined });
      const files = new ExportFiles(await guestFileTree(guest, '/'), new Uint8Array(32));
      const home = await files.lookup(files.root, Buffer.from('home'));
      assert.ok(home);
      assert.ok(await files.lookup(home, Buffer.from('letter')));
      const [above, below] = [await files.attributes(files.root), await files.attributes(home)];
      assert.notEqual(above.fsid, below.fsid);
      assert.notEqual(above.fileid, below.fileid);
      files.notePlace(home, files.root);
      assert.equal(await files.parentOf(home), files.root);
    });
  }

  test('is shown whole where there is no system on it', async (t) => {
    const place = await makeDisk(t, { ...layouts.Fedora!, mounts: {} });
    const disk = join(place.directory, 'disk.raw');
    await fillMounted(disk, (directory) => {
      for (const name of ['root', 'a snapshot']) fs.rmSync(join(directory, name, 'etc'), { recursive: true });
    });
    assert.equal(await place.varve('ls', './disk.raw:/'), 'a snapshot\nhome\nroot');
    assert.equal(await place.varve('cat', './disk.raw:/home/letter'), 'from home');
  });
});
