import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { describe, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { openFileDevice } from '../../src/block/file-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../../src/conformance/device-content.ts';
import { openImage } from '../../src/format/formats.ts';
import type { FormatDevice } from '../../src/format/image-format.ts';
import { checkQcow2 } from '../../src/format/qcow2/check/check-qcow2.ts';
import { createEncrypted, type ImageDirectory, imageDirectory, qemuImg } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');
const run = promisify(execFile);
const passphrase = 'open sesame';
const secret = ['--object', `secret,id=key,data=${passphrase}`];

/** The image as QEMU's programs take it, and as a whole set of options. */
function opened(path: string, format: string): string {
  return `driver=qcow2,file.filename=${path},encrypt.format=${format},encrypt.key-secret=key`;
}

/** An encrypted image; undefined, and the test skipped, where QEMU cannot measure how busy the machine is. */
async function created(t: TestContext, directory: ImageDirectory, options: string): Promise<string | undefined> {
  const path = directory.path('image');
  const isMade = await createEncrypted(t, path, ...secret, '-o', `${options},encrypt.key-secret=key`, path, '4M');
  return isMade ? path : undefined;
}

async function qemuIo(path: string, format: string, ...commands: string[]): Promise<void> {
  const steps = commands.flatMap((command) => ['-c', command]);
  const { stdout } = await run('qemu-io', [...secret, '--image-opts', opened(path, format), ...steps]);
  if (stdout.includes('verification failed')) throw new Error(stdout);
}

async function qemuContent(path: string, format: string): Promise<Uint8Array> {
  const raw = `${path}.raw`;
  await qemuImg('convert', ...secret, '--image-opts', opened(path, format), '-O', 'raw', raw);
  return readFile(raw);
}

async function open(path: string, writable: boolean): Promise<FormatDevice> {
  const file = await openFileDevice(path, { readOnly: !writable });
  return openImage(file, { name: path, writable, askSecret: async () => Buffer.from(passphrase) });
}

const luks = 'encrypt.format=luks,encrypt.iter-time=10';
const kinds = {
  AES: ['aes', 'encrypt.format=aes,cluster_size=4k'],
  'LUKS as QEMU makes it': ['luks', luks],
  'LUKS with AES-128 in XTS mode': ['luks', `${luks},encrypt.cipher-alg=aes-128,cluster_size=4k`],
  'LUKS in CBC mode': ['luks', `${luks},encrypt.cipher-mode=cbc,encrypt.ivgen-alg=plain64,encrypt.hash-alg=sha512`],
  'LUKS with ESSIV': [
    'luks',
    `${luks},encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha256,encrypt.hash-alg=sha1`,
  ],
} as const;

describe('encrypted qcow2 images', { skip }, () => {
  for (const [kind, [format, options]] of Object.entries(kinds)) {
    test(`${kind}: we read what QEMU wrote, and it what we wrote`, async (t) => {
      await using directory = await imageDirectory();
      const path = await created(t, directory, options);
      if (path === undefined) return;
      await qemuIo(path, format, 'write -P 1 0 100k', 'write -P 2 1M 70k', 'write -P 3 3000000 999', 'write -z 2M 64k');
      const expected = new Uint8Array(await qemuContent(path, format));
      {
        await using disk = await open(path, true);
        assertEqualBytes(await contentOf(disk), expected, 'as QEMU wrote it');
        for (const [offset, length] of [
          [50, 5000],
          [1_100_000, 200_001],
          [3_000_100, 20],
          [4_194_000, 304],
        ] as const) {
          const bytes = pattern(length, offset % 89);
          expected.set(bytes, offset);
          await disk.write(bytes, offset);
        }
        await disk.zero(2_000_000, 300_000);
        expected.fill(0, 2_000_000, 2_300_000);
        await disk.flush();
      }
      assertEqualBytes(await qemuContent(path, format), expected, 'as we wrote it');
      await qemuImg('check', ...secret, '--image-opts', opened(path, format));
      await using file = await openFileDevice(path, { readOnly: true });
      const { corruptions, leaks, problems } = await checkQcow2(file, { name: path });
      assert.deepEqual([corruptions, leaks, ...problems], [0, 0]);
    });
  }
});
