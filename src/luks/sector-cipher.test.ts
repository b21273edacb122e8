import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';
import { test } from 'node:test';
import { isVarveError } from '../base/varve-error.ts';
import { pattern } from '../conformance/device-content.ts';
import { sectorCipher } from './sector-cipher.ts';

function cipherOf(mode: string, key: Uint8Array, cipher = 'aes') {
  return sectorCipher(cipher, mode, key, 'sample');
}

function ivOf(sector: number): Buffer {
  const iv = Buffer.alloc(16);
  iv.writeBigUInt64LE(BigInt(sector));
  return iv;
}

/** What OpenSSL makes of sectors, each by itself. */
function expected(
  name: string,
  key: Uint8Array,
  bytes: Uint8Array,
  ivs: (sector: number) => Uint8Array,
  first: number,
) {
  const sectors = Array.from({ length: bytes.length / 512 }, (_, index) => {
    const cipher = createCipheriv(name, key, ivs(first + index)).setAutoPadding(false);
    return cipher.update(bytes.subarray(index * 512, (index + 1) * 512));
  });
  return new Uint8Array(Buffer.concat(sectors));
}

function essiv(key: Uint8Array): (sector: number) => Uint8Array {
  const hash = createHash('sha256').update(key).digest();
  return (sector) => createCipheriv('aes-256-ecb', hash, null).setAutoPadding(false).update(ivOf(sector));
}

const ways: Readonly<Record<string, { cipher?: string; mode: string; length: number; openssl: string }>> = {
  'AES-256 in XTS mode': { mode: 'xts-plain64', length: 64, openssl: 'aes-256-xts' },
  'AES-128 in XTS mode': { mode: 'xts-plain64', length: 32, openssl: 'aes-128-xts' },
  'AES-128 in CBC mode': { mode: 'cbc-plain64', length: 16, openssl: 'aes-128-cbc' },
  'AES-192 in CBC mode': { mode: 'cbc-plain64', length: 24, openssl: 'aes-192-cbc' },
  'Camellia-256 in CBC mode': { cipher: 'camellia', mode: 'cbc-plain64', length: 32, openssl: 'camellia-256-cbc' },
  'ARIA-128 in CBC mode': { cipher: 'aria', mode: 'cbc-plain64', length: 16, openssl: 'aria-128-cbc' },
  'AES-256 in CBC mode with ESSIV': { mode: 'cbc-essiv:sha256', length: 32, openssl: 'aes-256-cbc' },
};

for (const [way, { cipher, length, mode, openssl }] of Object.entries(ways)) {
  test(`${way} is what OpenSSL makes of each sector, and back`, () => {
    const key = pattern(length, 1);
    const ivs = mode.includes('essiv') ? essiv(key) : ivOf;
    for (const first of [0, 7, 2 ** 32 - 1, 2 ** 40 + 3]) {
      // Starts where no word does.
      const bytes = pattern(5 * 512 + 3, first % 91).subarray(3);
      const original = Uint8Array.from(bytes);
      cipherOf(mode, key, cipher).encrypt(bytes, first);
      assert.deepEqual(bytes, expected(openssl, key, original, ivs, first));
      cipherOf(mode, key, cipher).decrypt(bytes, first);
      assert.deepEqual(bytes, original);
    }
  });
}

test('plain counts sectors with 32 bits', () => {
  const [low, high] = [pattern(512, 1), pattern(512, 1)];
  const cipher = cipherOf('xts-plain', pattern(32, 1));
  cipher.encrypt(low, 5);
  cipher.encrypt(high, 2 ** 32 + 5);
  assert.deepEqual(low, high);
});

test('AES-128 in XTS mode gives what the standard has for it', () => {
  // IEEE 1619-2018, annex B, vector 4: keys 27182818…, 31415926…, sector 0, bytes 0 to 255 twice.
  const key = Buffer.from('2718281828459045235360287471352631415926535897932384626433832795', 'hex');
  const bytes = Uint8Array.from({ length: 512 }, (_, index) => index % 256);
  cipherOf('xts-plain64', key).encrypt(bytes, 0);
  assert.equal(Buffer.from(bytes.subarray(0, 16)).toString('hex'), '27a7479befa1d476489f308cd4cfa6e2');
});

const refused: [name: string, mode: string, length: number, code: 'UNSUPPORTED' | 'CORRUPT'][] = [
  ['serpent', 'xts-plain64', 64, 'UNSUPPORTED'],
  ['aes', 'lrw-benbi', 48, 'UNSUPPORTED'],
  ['aes', 'xts-essiv:sha1', 64, 'UNSUPPORTED'],
  ['aes', '', 64, 'UNSUPPORTED'],
  ['aes', 'constructor-plain', 64, 'UNSUPPORTED'],
  ['aes', 'xts-plain64', 63, 'CORRUPT'],
  ['aes', 'cbc-plain64', 64, 'CORRUPT'],
];
for (const [name, mode, length, code] of refused) {
  test(`${name}-${mode} with a key of ${length} bytes is ${code}`, () => {
    const make = (): unknown => sectorCipher(name, mode, new Uint8Array(length), 'sample.img');
    assert.throws(make, (error) => isVarveError(error, code) && error.message.includes('sample.img'));
  });
}
