import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { run, sampleImage } from '../../../../test/filesystem/sample-image.ts';
import { skipWithout } from '../../../../test/interop/require-tool.ts';
import { temporaryFolder } from '../../../../test/store/temporary-store.ts';
import { VarveError } from '../../../base/varve-error.ts';
import { type MemoryDevice, memoryDevice } from '../../../block/memory-device.ts';
import { squashfs } from '../../../filesystem/squashfs/squashfs.ts';
import { openGuest } from '../../../guest/open-guest.ts';
import { RamImages } from './ram-images.ts';

const skip = skipWithout('mke2fs');

async function ext4With(text: string): Promise<() => MemoryDevice> {
  return sampleImage(4 << 20, async (image, directory) => {
    fs.writeFileSync(join(directory, 'file'), text);
    await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', directory, image]);
  });
}

/** Disks of one file each, `web@1` and on. */
async function sampleRam(directory: string, most: number): Promise<{ ram: RamImages; opened: string[] }> {
  const opened: string[] = [];
  const disks = new Map<string, () => MemoryDevice>();
  for (const number of [1, 2, 3]) disks.set(`web@${number}`, await ext4With(`content ${number}`));
  const guests = {
    pin: (disk: string) => ({ disk, version: `root of ${disk}` }),
    open: (disk: string) => {
      opened.push(disk);
      return openGuest(disks.get(disk)!(), { name: disk });
    },
  };
  return { opened, ram: new RamImages({ directory, guests, most, allowed: (disk) => disks.has(disk) }) };
}

/** What the file of a squashfs that is served holds. */
async function contentOf(ram: RamImages, name: string): Promise<string | undefined> {
  const file = await ram.open(name);
  if (typeof file !== 'object') return undefined;
  const bytes = new Uint8Array(file.size);
  await file.read(bytes, 0);
  await file[Symbol.asyncDispose]();
  await using fileSystem = await squashfs.open(memoryDevice(bytes), { name });
  const node = await fileSystem.lookup(fileSystem.root, Buffer.from('file'));
  const content = Buffer.alloc(100);
  return content.toString('utf8', 0, await fileSystem.read(node!, content, 0));
}

test('RamImages packs each disk once, whoever asks for it at the same time', { skip }, async () => {
  await using folder = await temporaryFolder();
  const directory = join(folder.path, 'ram');
  const { opened, ram } = await sampleRam(directory, 4);
  const names = ['web@1.squashfs', '/web@1.squashfs', 'web@2.squashfs', 'web@1.squashfs'];
  const contents = await Promise.all(names.map((name) => contentOf(ram, name)));
  assert.deepEqual(contents, ['content 1', 'content 1', 'content 2', 'content 1']);
  assert.deepEqual(opened.sort(), ['web@1', 'web@2']);
  await ram[Symbol.asyncDispose]();
  fs.writeFileSync(join(directory, 'torn.part'), '');
  const again = await sampleRam(directory, 4);
  assert.equal(await contentOf(again.ram, 'web@2.squashfs'), 'content 2');
  assert.deepEqual(again.opened, []);
  assert.equal(fs.existsSync(join(directory, 'torn.part')), false);
});

test('RamImages keeps those that were asked for last', { skip }, async () => {
  await using folder = await temporaryFolder();
  const { opened, ram } = await sampleRam(folder.path, 2);
  for (const number of [1, 2, 1, 3, 1]) await contentOf(ram, `web@${number}.squashfs`);
  assert.deepEqual(opened, ['web@1', 'web@2', 'web@3']);
  assert.equal(fs.readdirSync(folder.path).length, 2);
  await contentOf(ram, 'web@2.squashfs');
  assert.deepEqual(opened, ['web@1', 'web@2', 'web@3', 'web@2']);
});

test('RamImages serves nothing else', { skip }, async () => {
  await using folder = await temporaryFolder();
  const { ram } = await sampleRam(folder.path, 4);
  fs.writeFileSync(join(folder.path, 'secret.squashfs'), 'x');
  for (const name of ['', 'web@1', 'db@1.squashfs', 'secret.squashfs', '../ram/web@1.squashfs', '.squashfs']) {
    assert.equal(await ram.open(name), undefined, name);
  }
});

test('RamImages tells why a disk cannot be read, and tries again the next time', { skip }, async () => {
  await using folder = await temporaryFolder();
  let count = 0;
  const open = async (): Promise<never> => {
    count += 1;
    throw new VarveError('CORRUPT', 'it is torn');
  };
  const guests = { pin: (disk: string) => ({ disk, version: disk }), open };
  const ram = new RamImages({ directory: folder.path, guests, allowed: () => true });
  for (let attempt = 0; attempt < 2; attempt++)
    await assert.rejects(async () => ram.open('web.squashfs'), { code: 'CORRUPT' });
  assert.equal(count, 2);
  assert.deepEqual(fs.readdirSync(folder.path), []);
});
