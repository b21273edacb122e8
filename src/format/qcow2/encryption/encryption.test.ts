import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { luks1Sample } from '../../../../test/luks/luks1-sample.ts';
import { isVarveError } from '../../../base/varve-error.ts';
import type { BlockDevice } from '../../../block/block-device.ts';
import { type MemoryDevice, memoryDevice } from '../../../block/memory-device.ts';
import { testBlockDevice } from '../../../conformance/block-device.ts';
import { contentOf, pattern } from '../../../conformance/device-content.ts';
import { lateFile } from '../../../conformance/late-file.ts';
import { delayFilter } from '../../../filter/delay.ts';
import { checkQcow2 } from '../check/check-qcow2.ts';
import { createQcow2 } from '../create-qcow2.ts';
import { encodeHeader } from '../header.ts';
import { extensionType } from '../header-extensions.ts';
import { openQcow2 } from '../open-qcow2.ts';
import { readHeader } from '../read-header.ts';

const name = 'sample.qcow2';
const clusterSize = 4096;
const size = 40 * clusterSize;
const askSecret = async (): Promise<Uint8Array> => Buffer.from('open sesame');

/** An empty image that is encrypted by one of the two methods. */
async function encryptedImage(cryptMethod: number, diskSize = size): Promise<MemoryDevice> {
  const file = memoryDevice(0);
  await createQcow2(file, { size: diskSize, clusterSize });
  const header = await readHeader(file, name);
  const area = luks1Sample({
    passphrase: 'open sesame',
    key: pattern(64, 4),
    cipherMode: 'xts-plain64',
    hashSpec: 'sha256',
    slot: 1,
  });
  const offset = Math.ceil(file.size / clusterSize) * clusterSize;
  const data = new Uint8Array(16);
  new DataView(data.buffer).setBigUint64(0, BigInt(offset));
  new DataView(data.buffer).setBigUint64(8, BigInt(area.length));
  const extensions = [...header.extensions, { type: extensionType.encryptionHeader, data }];
  file.write(encodeHeader({ ...header, cryptMethod, extensions: cryptMethod === 2 ? extensions : [] }), 0);
  if (cryptMethod === 2) {
    const whole = new Uint8Array(Math.ceil(area.length / clusterSize) * clusterSize);
    whole.set(area);
    file.write(whole, offset);
    // What is used and not counted yet.
    await checkQcow2(file, { name, repair: 'all' });
  }
  // Room to write in, for filters that let nothing grow.
  file.resize(file.size + size + 8 * clusterSize);
  return file;
}

async function copyOf(file: MemoryDevice): Promise<MemoryDevice> {
  return memoryDevice(await contentOf(file));
}

const methods = { AES: 1, LUKS: 2 } as const;

for (const [method, number] of Object.entries(methods)) {
  describe(`images that are encrypted with ${method}`, () => {
    test('are written and read like others, wherever requests start and end', async () => {
      const image = await encryptedImage(number);
      const write = fc.record({
        offset: fc.nat(size - 1),
        length: fc.integer({ min: 1, max: 9000 }),
        seed: fc.nat(99),
      });
      const property = fc.asyncProperty(fc.array(write, { maxLength: 8 }), fc.boolean(), async (writes, isSlow) => {
        const file = await copyOf(image);
        const expected = new Uint8Array(size);
        let written: MemoryDevice;
        {
          const slow = isSlow ? delayFilter(file) : file;
          await using disk = await openQcow2(slow, { name, askSecret, writable: true });
          for (const { length, offset, seed } of writes) {
            const bytes = pattern(Math.min(length, size - offset), seed);
            expected.set(bytes, offset);
            await disk.write(bytes, offset);
          }
          assert.equal(Buffer.compare(await contentOf(disk), expected), 0);
          await disk.flush();
          written = await copyOf(file);
        }
        await using again = await openQcow2(await copyOf(written), { name, askSecret });
        assert.equal(Buffer.compare(await contentOf(again), expected), 0);
        assert.equal(Buffer.compare(await contentOf(again, 1001, 7777), expected.subarray(1001, 8778)), 0);
        const { corruptions, leaks } = await checkQcow2(written, { name });
        assert.deepEqual([corruptions, leaks], [0, 0]);
      });
      await fc.assert(property, { numRuns: 40 });
    });

    test('keep neighbours whole that are written at the same time into one sector', async () => {
      const file = delayFilter(await encryptedImage(number), { delayMs: 1 });
      await using disk = await openQcow2(file, { name, askSecret, writable: true });
      await disk.write(new Uint8Array(clusterSize), 0);
      const bytes = pattern(512, 8);
      await Promise.all(
        Array.from({ length: 8 }, (_, part) => disk.write(bytes.slice(part * 64, part * 64 + 64), part * 64)),
      );
      assert.deepEqual(await contentOf(disk, 0, 512), bytes);
    });

    test('have nothing of the disk in the file', async () => {
      const file = await encryptedImage(number);
      await using disk = await openQcow2(file, { name, askSecret, writable: true });
      const text = Buffer.from('nobody is to read this '.repeat(400));
      await disk.write(text, 3000);
      await disk.flush();
      assert.equal(Buffer.from(await contentOf(file)).indexOf('nobody is'), -1);
    });

    test('say how they are encrypted, without a secret too', async () => {
      const file = await encryptedImage(number);
      await using disk = await openQcow2(file, { name, informationOnly: true });
      assert.equal(disk.information().encryption, method);
      await assert.rejects(
        openQcow2(await encryptedImage(number), { name }),
        (error) => isVarveError(error, 'PERMISSION') && error.message.includes(name),
      );
    });
  });
}

test('a wrong passphrase opens no LUKS image', async () => {
  const file = await encryptedImage(methods.LUKS);
  const opening = openQcow2(file, { name, askSecret: async () => Buffer.from('open') });
  await assert.rejects(opening, (error) => isVarveError(error, 'PERMISSION') && error.message.includes(name));
});

test('a LUKS header that is nowhere, or past the end, is CORRUPT', async () => {
  for (const data of [undefined, new Uint8Array(16), new Uint8Array(16).fill(0x7f), new Uint8Array(3)]) {
    const file = await encryptedImage(methods.LUKS);
    const header = await readHeader(file, name);
    const extensions = data === undefined ? [] : [{ type: extensionType.encryptionHeader, data }];
    file.write(encodeHeader({ ...header, extensions }), 0);
    await assert.rejects(
      openQcow2(file, { name, askSecret }),
      (error) => isVarveError(error, 'CORRUPT') && error.message.includes(name),
    );
    const report = checkQcow2(file, { name });
    await assert.rejects(report, (error) => isVarveError(error, 'CORRUPT'));
  }
});

for (const [method, number] of Object.entries(methods)) {
  const factory = async (content: Uint8Array, isLate: boolean): Promise<BlockDevice> => {
    const file = await encryptedImage(number, content.length);
    const disk = await openQcow2(isLate ? lateFile(file) : file, { name, askSecret, writable: true });
    await disk.write(content, 0);
    return disk;
  };
  const options = { sizes: [512, 140_288], runs: 4, synchronous: true };
  testBlockDevice(`an image encrypted with ${method}`, (content) => factory(content, false), options);
  if (number === methods.LUKS) {
    const late = { sizes: [12_800], runs: 3 };
    testBlockDevice('an encrypted image whose file answers late', (content) => factory(content, true), late);
  }
}
