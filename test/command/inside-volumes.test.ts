import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { pattern } from '../../src/conformance/device-content.ts';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { luks2Sample } from '../luks/luks2-sample.ts';
import { metadataSample, physicalVolumeSample, volumeSample } from '../volume/lvm2-sample.ts';
import { Workplace } from './varve.ts';

const skip = skipWithout('mke2fs', 'sfdisk');
const mebibyte = 2 ** 20;
const extent = 4096;
const id = 'AAAAAAbbbbccccddddeeeeffffGGGGGG';
const dashedId = 'AAAAAA-bbbb-cccc-dddd-eeee-ffff-GGGGGG';
const luksUuid = '6f7c0000-0000-4000-8000-000000000000';

/** A disk with a /boot, and a root and a /home on an encrypted volume group. */
async function makeDisk(t: TestContext): Promise<Workplace> {
  const place = new Workplace(t);
  const at = (name: string) => join(place.directory, name);
  fs.mkdirSync(at('root/etc'), { recursive: true });
  fs.mkdirSync(at('root/boot'));
  fs.mkdirSync(at('root/home'));
  const fstab = ['/dev/mapper/vg-root / ext4', '/dev/vg/home /home ext4', 'PARTLABEL=start /boot ext4'];
  fs.writeFileSync(at('root/etc/fstab'), `${fstab.map((line) => `${line} defaults 0 1`).join('\n')}\n`);
  fs.writeFileSync(at('root/etc/crypttab'), `vault UUID=${luksUuid} none luks\n`);
  fs.mkdirSync(at('home'));
  fs.writeFileSync(at('home/letter'), 'dear all\n');
  fs.mkdirSync(at('boot'));
  fs.writeFileSync(at('boot/kernel'), 'boots\n');
  const image = async (name: string, length: string) => {
    await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', at(name), at(`${name}.img`), length]);
    return fs.readFileSync(at(`${name}.img`));
  };
  const [root, home, boot] = [await image('root', '2M'), await image('home', '1M'), await image('boot', '2M')];
  const segment = (first: number, count: number) =>
    `start_extent = 0\nextent_count = ${count}\ntype = "striped"\nstripe_count = 1\nstripes = ["pv0", ${first}]`;
  const volumes = [volumeSample('root', [segment(0, 512)]), volumeSample('home', [segment(512, 256)])].join('\n');
  const group = physicalVolumeSample({ id, text: metadataSample([dashedId], volumes, 1, 768) });
  const content = Buffer.concat([group, root, home]);
  const vault = luks2Sample({
    passphrase: 'sesame',
    key: pattern(64, 9),
    kdf: 'argon2id',
    sectorLength: extent,
    content,
  });
  const path = at('disk.raw');
  fs.writeFileSync(path, '');
  fs.truncateSync(path, 12 * mebibyte);
  execFileSync('sfdisk', ['-q', path], { input: 'label: gpt\nsize=2MiB,name=start\nsize=6MiB\n', stdio: 'pipe' });
  const file = fs.openSync(path, 'r+');
  fs.writeSync(file, boot, 0, boot.length, mebibyte);
  fs.writeSync(file, vault, 0, vault.length, 3 * mebibyte);
  fs.closeSync(file);
  fs.writeFileSync(at('key'), 'sesame');
  fs.writeFileSync(at('wrong'), 'sesam');
  return place;
}

describe('inside a disk whose system is on an encrypted volume group', { skip }, () => {
  test('all volumes are listed, closed without a key, and mounted where the system has them with it', async (t) => {
    const place = await makeDisk(t);
    const closed = JSON.parse(await place.varve('filesystems', './disk.raw', '--json'));
    assert.deepEqual(
      closed.map(({ mountedOn, name, type }: Record<string, string>) => [name, type, mountedOn]),
      [
        ['/dev/sda1', 'ext4', '/'],
        ['/dev/sda2', 'crypto_LUKS', undefined],
      ],
    );
    assert.match(closed[1].problem, /give its passphrase, or its key with --key-file/);
    const open = JSON.parse(await place.varve('filesystems', './disk.raw', '--key-file', 'key', '--json'));
    assert.deepEqual(
      open.map(({ encrypted, madeOf, mountedOn, name, type }: Record<string, unknown>) => [
        ...[name, type, mountedOn, madeOf, encrypted],
      ]),
      [
        ['/dev/sda1', 'ext4', '/boot', [], false],
        ['/dev/sda2', 'crypto_LUKS', undefined, [], false],
        ['/dev/mapper/vault', 'LVM2_member', undefined, ['/dev/sda2'], true],
        ['/dev/vg/root', 'ext4', '/', ['/dev/mapper/vault'], true],
        ['/dev/vg/home', 'ext4', '/home', ['/dev/mapper/vault'], true],
      ],
    );
    assert.equal(open[0].partitionLabel, 'start');
    assert.ok(open[3].used > 0 && open[3].used < open[3].size);
    const text = await place.varve('filesystems', './disk.raw', '--key-file', 'key');
    assert.match(text, /^\/dev\/vg\/home +1 MiB +\S+ KiB +ext4 .* \/home$/m);
  });

  test('its files are read over all mounts with the key, and not with another one', async (t) => {
    const place = await makeDisk(t);
    const files = ['./disk.raw:/home/letter', './disk.raw:/boot/kernel'];
    assert.equal(await place.varve('cat', ...files, '--key-file', 'key'), 'dear all\nboots');
    const failure = await place.fails(12, 'cat', './disk.raw:/home/letter', '--key-file', 'wrong');
    assert.match(failure, /disk\.raw, \/dev\/sda2: the passphrase fits none of its key slots/);
  });
});
