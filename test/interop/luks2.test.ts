import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { isVarveError } from '../../src/base/varve-error.ts';
import { openFileDevice } from '../../src/block/file-device.ts';
import { contentOf, pattern } from '../../src/conformance/device-content.ts';
import { decryptedDevice } from '../../src/luks/decrypted-device.ts';
import { openLockedVolume } from '../../src/luks/locked-volume.ts';
import { luksIdentity } from '../../src/luks/luks-identity.ts';
import { skipWithout } from './require-tool.ts';

const run = promisify(execFile);
const skip = skipWithout('cryptsetup');
const argon2 = ['--pbkdf-memory', '8192', '--pbkdf-parallel', '2', '--pbkdf-force-iterations', '4'];
const pbkdf2 = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];

/** What is given to `cryptsetup luksFormat`, and the length of sectors that comes of it, in bytes. */
const ways: Readonly<Record<string, { readonly options: readonly string[]; readonly sectorLength: number }>> = {
  'argon2id, 4096 bytes a sector': {
    options: ['--pbkdf', 'argon2id', ...argon2, '--sector-size', '4096'],
    sectorLength: 4096,
  },
  'argon2i, 512 bytes a sector': {
    options: ['--pbkdf', 'argon2i', ...argon2, '--sector-size', '512'],
    sectorLength: 512,
  },
  'pbkdf2, SHA-512': { options: [...pbkdf2, '--hash', 'sha512', '--sector-size', '2048'], sectorLength: 2048 },
  'AES-128': { options: [...pbkdf2, '--key-size', '256', '--sector-size', '512'], sectorLength: 512 },
  'a large header': { options: [...pbkdf2, '--luks2-metadata-size', '64k', '--sector-size', '512'], sectorLength: 512 },
};

describe('LUKS2 volumes that cryptsetup made', { skip }, () => {
  for (const [way, { options, sectorLength }] of Object.entries(ways)) {
    test(`${way}: both its passphrases open it, and what OpenSSL encrypted is read`, async (t) => {
      const directory = await mkdtemp(join(tmpdir(), 'varve-'));
      t.after(() => rm(directory, { recursive: true }));
      const [path, keyFile, secondKeyFile] = ['disk.raw', 'key', 'second'].map((name) => join(directory, name)) as [
        string,
        string,
        string,
      ];
      await writeFile(path, '');
      await truncate(path, 24 * 2 ** 20);
      await writeFile(keyFile, 'open sesame');
      await writeFile(secondKeyFile, pattern(300, 4));
      const quick = [...pbkdf2, '--key-slot', '3'];
      await run('cryptsetup', [
        'luksFormat',
        '-q',
        '--type',
        'luks2',
        '--label',
        'treasure',
        ...options,
        path,
        keyFile,
      ]);
      await run('cryptsetup', ['luksAddKey', '-q', '--key-file', keyFile, ...quick, path, secondKeyFile]);
      const { stdout } = await run('cryptsetup', ['luksDump', '-q', '--dump-volume-key', '--key-file', keyFile, path]);
      const digits = [...stdout.replace(/^.*MK dump:/s, '').matchAll(/[0-9a-f]{2}\b/g)].map(([digit]) => digit);
      const key = Buffer.from(digits.join(''), 'hex');
      const { stdout: uuid } = await run('cryptsetup', ['luksUUID', path]);
      const content = pattern(64 * 4096, 6);
      await using device = await openFileDevice(path, { readOnly: true });
      const locked = await openLockedVolume(device, path);
      const identity = { version: '2', uuid: uuid.trim(), label: 'treasure' };
      assert.deepEqual([await luksIdentity(device), locked.uuid], [identity, identity.uuid]);
      await using file = await open(path, 'r+');
      await file.write(encrypted(content, key, sectorLength), 0, content.length, locked.offset);
      for (const secret of [Buffer.from('open sesame'), pattern(300, 4)]) {
        const opened = decryptedDevice(device, locked, await locked.unlock(secret));
        assert.equal(opened.size, device.size - locked.offset);
        assert.deepEqual(await contentOf(opened, 0, content.length), content);
      }
      await assert.rejects(locked.unlock(Buffer.from('sesame')), (error) => isVarveError(error, 'PERMISSION'));
    });
  }
});

/** Sectors in AES-XTS, numbered in 512 bytes, as OpenSSL encrypts them. */
function encrypted(content: Uint8Array, key: Uint8Array, sectorLength: number): Uint8Array {
  const sectors: Buffer[] = [];
  for (let offset = 0; offset < content.length; offset += sectorLength) {
    const number = Buffer.alloc(16);
    number.writeBigUInt64LE(BigInt(offset / 512));
    const cipher = createCipheriv(key.length === 64 ? 'aes-256-xts' : 'aes-128-xts', key, number);
    sectors.push(cipher.update(content.subarray(offset, offset + sectorLength)));
  }
  return new Uint8Array(Buffer.concat(sectors));
}
