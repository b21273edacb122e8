import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { run, sampleImage } from '../../../test/filesystem/sample-image.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { ext4 } from './ext4.ts';
import { nameHash } from './name-hash.ts';

const skip = skipWithout('mke2fs', 'e2fsck', 'tune2fs', 'debugfs');
const fileCount = 2000;

/** Names of all lengths, some with characters that count differently signed and unsigned. */
function nameOf(index: number): string {
  return `${index} ${index % 3 === 0 ? 'größer — 大きい' : 'file'}${'x'.repeat((index * 7) % 120)}`;
}

let linear: Promise<Buffer> | undefined;

/** A file system of one directory with many files, which has no index. */
function linearImage(): Promise<Buffer> {
  linear ??= (async () => {
    let bytes = Buffer.alloc(0);
    await sampleImage(16 << 20, async (image, directory) => {
      fs.mkdirSync(join(directory, 'many'));
      for (let index = 0; index < fileCount; index++) fs.writeFileSync(join(directory, 'many', nameOf(index)), '');
      await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '1024', '-N', '3000', '-d', directory, image]);
      bytes = fs.readFileSync(image);
    });
    return bytes;
  })();
  return linear;
}

/** The same, to which e2fsck made an index by some hash. */
async function indexedImage(hash: string, isSigned: boolean, hasChecksums = true): Promise<() => BlockDevice> {
  const bytes = await linearImage();
  return await sampleImage(bytes.length, async (image) => {
    fs.writeFileSync(image, bytes);
    await run('tune2fs', ['-E', `hash_alg=${hash}`, ...(hasChecksums ? [] : ['-O', '^metadata_csum']), image]);
    await run('debugfs', ['-w', '-R', `set_super_value flags ${isSigned ? 1 : 2}`, image]);
    // It has changed something, and says so by its status.
    await run('e2fsck', ['-fyD', image]).catch(({ code }: { code: number }) => assert.equal(code, 1));
  });
}

/** A device that counts what is read of it. */
function counting(device: BlockDevice): { device: BlockDevice; readLength: () => number } {
  let length = 0;
  const read: BlockDevice['read'] = (target, offset) => {
    length += target.length;
    return device.read(target, offset);
  };
  return {
    device: new Proxy(device, { get: (of, key) => (key === 'read' ? read : Reflect.get(of, key)) }),
    readLength: () => length,
  };
}

for (const [hash, isSigned, hasChecksums] of [
  ['half_md4', true, true],
  ['half_md4', false, true],
  ['tea', true, false],
  ['tea', false, true],
  ['legacy', true, true],
  ['legacy', false, false],
] as const) {
  test(`names are found by the hash ${hash}, ${isSigned ? 'signed' : 'unsigned'}`, { skip }, async () => {
    const { device, readLength } = counting((await indexedImage(hash, isSigned, hasChecksums))());
    await using fileSystem = await ext4.open(device, { name: 'sample' });
    const many = await fileSystem.lookup(fileSystem.root, Buffer.from('many'));
    const before = readLength();
    const first = await fileSystem.lookup(many!, Buffer.from(nameOf(1234)));
    // A directory of over 100 KiB, of which a few blocks were read.
    assert.ok(readLength() - before < 10_000, `${readLength() - before} bytes read`);
    const found = new Map<string, number>();
    for await (const { name, node } of fileSystem.readDirectory(many!)) found.set(Buffer.from(name).toString(), node);
    assert.equal(found.size, fileCount);
    assert.equal(first, found.get(nameOf(1234)));
    for (let index = 0; index < fileCount; index++) {
      assert.equal(await fileSystem.lookup(many!, Buffer.from(nameOf(index))), found.get(nameOf(index)), nameOf(index));
      assert.equal(await fileSystem.lookup(many!, Buffer.from(`no ${index}`)), undefined);
    }
  });
}

describe('hashes of names', { skip }, () => {
  test('are those of debugfs', async () => {
    const seedText = '01234567-89ab-cdef-0123-456789abcdef';
    const seedBytes = Buffer.from(seedText.replaceAll('-', ''), 'hex');
    const seed = [0, 4, 8, 12].map((offset) => seedBytes.readUInt32LE(offset));
    for (const [version, hash] of ['legacy', 'half_md4', 'tea'].entries()) {
      for (const name of ['a', 'ab', 'abcd', 'größe', 'x'.repeat(32), 'y'.repeat(33), 'z'.repeat(255)]) {
        const text = await run('debugfs', ['-R', `dx_hash -h ${hash} -s ${seedText} ${name}`]).catch(() => '');
        const [, wanted = ''] = /is (0x[0-9a-f]+)/.exec(text) ?? [];
        assert.equal(nameHash(Buffer.from(name), version, { seed, isSigned: true }), Number(wanted), `${hash} ${name}`);
      }
    }
    assert.equal(nameHash(Buffer.from('a'), 6, { seed, isSigned: true }), undefined);
  });
});

test('an index that leads in circles, or nowhere, ends', { skip }, async () => {
  const bytes = new Uint8Array(16 << 20);
  const made = await indexedImage('half_md4', true, false);
  await made().read(bytes, 0);
  // Every block that looks like a node or root of an index gets entries that all lead to block 0 with one hash.
  for (let block = 0; block + 1024 <= bytes.length; block += 1024) {
    const view = new DataView(bytes.buffer, block, 1024);
    if (view.getUint16(4, true) !== 12 || view.getUint8(29) !== 8 || view.getUint16(32, true) !== 124) continue;
    for (let entry = 1; entry < 124; entry++) {
      view.setUint32(32 + entry * 8, 1, true);
      view.setUint32(36 + entry * 8, 0, true);
    }
    view.setUint8(30, 2);
  }
  await using fileSystem = await ext4.open(memoryDevice(bytes), { name: 'sample' });
  const many = await fileSystem.lookup(fileSystem.root, Buffer.from('many'));
  const name = Buffer.from(nameOf(7));
  await fileSystem.lookup(many!, name).catch((error: { code?: string }) => assert.equal(error.code, 'CORRUPT'));
});
