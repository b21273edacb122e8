import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { Workplace } from './varve.ts';

const skip = skipWithout('mke2fs', 'mkfs.fat', 'mcopy', 'sfdisk', 'qemu-img');
const mebibyte = 2 ** 20;
const uuid = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0';

/** A disk with a FAT for /boot/efi, and an ext4 for the rest. */
async function makeDisk(t: TestContext): Promise<Workplace> {
  const place = new Workplace(t);
  const at = (...names: string[]) => join(place.directory, ...names);
  for (const directory of ['root/etc', 'root/boot/efi', 'root/usr/lib', 'root/var/log']) {
    fs.mkdirSync(at(directory), { recursive: true });
  }
  const fstab = ['# a comment', `UUID=${uuid} / ext4 defaults 0 1`, 'UUID=1234-ABCD /boot/efi/ vfat umask=0077 0 1'];
  fs.writeFileSync(at('root/etc/fstab'), `${fstab.join('\n')}\nnone /proc proc\nLABEL=gone /srv ext4\n`);
  fs.writeFileSync(at('root/usr/lib/os-release'), 'NAME="Sample"\n');
  fs.symlinkSync('../usr/lib/os-release', at('root/etc/os-release'));
  fs.symlinkSync('/../../etc/shadow', at('root/etc/trap'));
  fs.writeFileSync(at('root/etc/shadow'), 'of the guest\n');
  fs.symlinkSync('round', at('root/round'));
  fs.symlinkSync('/boot/efi', at('root/efi'));
  fs.writeFileSync(Buffer.concat([Buffer.from(`${at('root')}/`), Buffer.from([0xff, 0x41])]), 'no UTF-8');
  fs.writeFileSync(at('root/bin'), Buffer.alloc(300_000, 'abc'));
  fs.chmodSync(at('root/bin'), 0o4755);
  const disk = at('disk.raw');
  fs.writeFileSync(disk, '');
  fs.truncateSync(disk, 64 * mebibyte);
  execFileSync('sfdisk', ['-q', disk], { input: 'label: gpt\nsize=16MiB\nsize=40MiB\n', stdio: 'pipe' });
  await run('mkfs.fat', ['-C', '-i', '1234abcd', at('efi'), String(16 * 1024)]);
  fs.writeFileSync(at('loader'), 'boots');
  await run('mcopy', ['-i', at('efi'), at('loader'), '::/grub.cfg']);
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-U', uuid, '-L', 'system', '-d', at('root'), at('ext4'), '40M']);
  const file = fs.openSync(disk, 'r+');
  for (const [name, start] of [
    ['efi', 1],
    ['ext4', 17],
  ] as const) {
    const bytes = fs.readFileSync(at(name));
    fs.writeSync(file, bytes, 0, bytes.length, start * mebibyte);
  }
  fs.closeSync(file);
  return place;
}

describe('inside a disk', { skip }, () => {
  test('its file systems are shown, and where its fstab mounts them', async (t) => {
    const place = await makeDisk(t);
    const [efi, system] = JSON.parse(await place.varve('filesystems', './disk.raw', '--json'));
    assert.deepEqual([efi.name, efi.type, efi.uuid, efi.mountedOn], ['/dev/sda1', 'vfat', '1234-ABCD', '/boot/efi']);
    assert.deepEqual([system.name, system.label, system.mountedOn], ['/dev/sda2', 'system', '/']);
    assert.match(
      await place.varve('filesystems', './disk.raw'),
      /\/dev\/sda2 +40 MiB +\S+ MiB +ext4 +system +0f1e2d3c-\S+ +\/$/m,
    );
  });

  test('files are printed from raw, qcow2 and the store, over mounts and symlinks, and never from outside', async (t) => {
    const place = await makeDisk(t);
    const disk = join(place.directory, 'disk.qcow2');
    execFileSync('qemu-img', ['convert', '-c', '-O', 'qcow2', join(place.directory, 'disk.raw'), disk]);
    await place.varve('import', './disk.raw', 'web');
    for (const name of ['./disk.raw', './disk.qcow2', 'web', 'web@1']) {
      assert.equal(await place.varve('cat', `${name}:/etc/os-release`), 'NAME="Sample"');
      assert.equal(await place.varve('cat', `${name}:/boot/efi/GRUB.CFG`), 'boots');
      assert.equal(await place.varve('cat', `${name}:/efi/grub.cfg`, `${name}:/etc/../etc/trap`), 'bootsof the guest');
    }
    const { stdout } = await place.run(['cat', './disk.raw:/bin']);
    assert.equal(stdout, 'abc'.repeat(100_000));
  });

  test('directories are listed, with everything below if asked', async (t) => {
    const place = await makeDisk(t);
    assert.equal(await place.varve('ls', './disk.raw:/etc'), 'fstab\nos-release\nshadow\ntrap');
    const long = await place.varve('ls', '-l', './disk.raw');
    assert.match(long, /^-rwsr-xr-x +1 .* 300000 .* bin$/m);
    assert.match(long, /^lrwxrwxrwx .* round -> round$/m);
    assert.match(await place.varve('ls', '-lH', './disk.raw:/bin'), / 293\.0 KiB /);
    const all = JSON.parse(await place.varve('ls', '-R', './disk.raw', '--json'));
    const paths = all.map(({ path }: { path: string }) => path);
    for (const path of ['/boot/efi/grub.cfg', '/etc/fstab', '/usr/lib/os-release', '/\udcffA']) {
      assert.ok(paths.includes(path), path);
    }
    const bin = all.find(({ path }: { path: string }) => path === '/bin');
    assert.deepEqual([bin.kind, bin.mode, bin.size, bin.links], ['file', '4755', 300_000, 1]);
    assert.match(await place.varve('ls', '-R', './disk.raw'), /^\/boot\/efi:\ngrub\.cfg$/m);
  });

  test('what is not there, no file or goes in a circle is said', async (t) => {
    const place = await makeDisk(t);
    const cases: [args: string[], status: number, message: RegExp][] = [
      [['cat', './disk.raw:/etc/nothing'], 3, /there is no nothing in \/etc/],
      [['cat', './disk.raw:/etc/fstab/x'], 3, /\/etc\/fstab is no directory/],
      [['cat', './disk.raw:/etc'], 2, /is a directory, and no file/],
      [['cat', './disk.raw:/round'], 2, /too many symlinks/],
      [['cat', './disk.raw'], 2, /which file of/],
      [['ls', './root/bin'], 11, /no file system that is known/],
    ];
    for (const [args, status, message] of cases) {
      const outcome = await place.run(args);
      assert.equal(outcome.status, status, `${args.join(' ')}: ${outcome.stderr}`);
      assert.match(outcome.stderr, message);
    }
  });
});
