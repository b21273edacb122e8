import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Luks2Json,
  type Luks2Sample,
  luks2ContentOffset,
  luks2Header,
  luks2Sample,
} from '../../test/luks/luks2-sample.ts';
import { type ErrorCode, isVarveError } from '../base/varve-error.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { contentOf, pattern } from '../conformance/device-content.ts';
import { decryptedDevice } from './decrypted-device.ts';
import { openLockedVolume } from './locked-volume.ts';

const content = pattern(8 * 4096, 5);
const sample: Luks2Sample = {
  passphrase: 'open sesame',
  key: pattern(64, 9),
  kdf: 'argon2id',
  sectorLength: 4096,
  content,
};

function deviceOf(bytes: Uint8Array) {
  const device = memoryDevice(bytes.length, { readOnly: false });
  device.write(bytes, 0);
  return device;
}

async function open(bytes: Uint8Array, passphrase = sample.passphrase) {
  const device = deviceOf(bytes);
  const locked = await openLockedVolume(device, 'sample.img');
  return decryptedDevice(device, locked, await locked.unlock(Buffer.from(passphrase)));
}

for (const kdf of ['pbkdf2', 'argon2i', 'argon2id'] as const) {
  for (const sectorLength of [512, 1024, 4096]) {
    test(`a passphrase through ${kdf} opens sectors of ${sectorLength} bytes, in whatever pieces`, async () => {
      const device = await open(luks2Sample({ ...sample, kdf, sectorLength }));
      assert.deepEqual(await contentOf(device), content);
      for (const [offset, length] of [
        [1, 1],
        [511, 2],
        [4096, 4096],
        [5000, 20_000],
      ] as const) {
        assert.deepEqual(await contentOf(device, offset, length), content.slice(offset, offset + length));
      }
    });
  }
}

test('another passphrase is refused', async () => {
  await assert.rejects(
    open(luks2Sample(sample), 'open sesam'),
    (error) => isVarveError(error, 'PERMISSION') && error.message.includes('sample.img'),
  );
});

test('either copy of the header is enough, and the newer one counts', async () => {
  const bytes = luks2Sample(sample);
  for (const offset of [0, 16_384]) {
    const damaged = bytes.slice();
    // The mark has to stay: it is what makes a device one of LUKS.
    damaged[offset + 4096]! ^= 1;
    assert.deepEqual(await contentOf(await open(damaged)), content);
  }
  const newer = bytes.slice();
  newer.set(luks2Header('{}', 16_384, 4), 16_384);
  await assert.rejects(open(newer), (error) => isVarveError(error, 'CORRUPT') && /has no keyslots/.test(error.message));
  const neither = bytes.slice();
  for (const offset of [0, 16_384]) neither[offset + 4096]! ^= 1;
  await assert.rejects(open(neither), /no copy of its LUKS header is good: its checksum is wrong/);
});

const edits: readonly (readonly [what: string, code: ErrorCode, edit: (json: Luks2Json) => void])[] = [
  ['integrity', 'UNSUPPORTED', (json) => Object.assign(json.segments[0], { integrity: { type: 'hmac(sha256)' } })],
  [
    'a requirement',
    'UNSUPPORTED',
    (json) => Object.assign(json.config, { requirements: { mandatory: ['online-reencrypt-v2'] } }),
  ],
  ['another cipher', 'UNSUPPORTED', (json) => Object.assign(json.segments[0], { encryption: 'serpent-xts-plain64' })],
  ['two segments', 'UNSUPPORTED', (json) => Object.assign(json.segments, { 1: json.segments[0] })],
  ['another derivation', 'UNSUPPORTED', (json) => Object.assign(json.keyslots[1].kdf, { type: 'scrypt' })],
  ['sectors of 100 bytes', 'CORRUPT', (json) => Object.assign(json.segments[0], { sector_size: 100 })],
  ['content past the end', 'CORRUPT', (json) => Object.assign(json.segments[0], { offset: '1099511627776' })],
  ['a place over 2^53', 'CORRUPT', (json) => Object.assign(json.segments[0], { offset: '18446744073709551615' })],
  ['a key slot past the end', 'CORRUPT', (json) => Object.assign(json.keyslots[1].area, { offset: '1099511627776' })],
  ['a key slot in the header', 'CORRUPT', (json) => Object.assign(json.keyslots[1].area, { offset: '4096' })],
  ['a key without length', 'CORRUPT', (json) => Object.assign(json.keyslots[1], { key_size: 0 })],
  ['a billion stripes', 'CORRUPT', (json) => Object.assign(json.keyslots[1].af, { stripes: 1e9 })],
  ['a terabyte of memory', 'CORRUPT', (json) => Object.assign(json.keyslots[1].kdf, { memory: 2 ** 30 })],
  ['a billion passes', 'CORRUPT', (json) => Object.assign(json.keyslots[1].kdf, { time: 1e9 })],
  ['a thousand lanes', 'CORRUPT', (json) => Object.assign(json.keyslots[1].kdf, { cpus: 1000 })],
  ['a billion iterations', 'CORRUPT', (json) => Object.assign(json.digests[0], { iterations: 2 ** 31 })],
  ['a digest without length', 'CORRUPT', (json) => Object.assign(json.digests[0], { digest: '' })],
  ['an unknown hash', 'UNSUPPORTED', (json) => Object.assign(json.digests[0], { hash: 'whirlpool' })],
  ['key slots that are a list', 'CORRUPT', (json) => Object.assign(json, { keyslots: [] })],
];
for (const [what, code, edit] of edits) {
  test(`a header with ${what} is ${code}`, async () => {
    await assert.rejects(
      open(luks2Sample({ ...sample, edit })),
      (error) => isVarveError(error, code) && error.message.includes('sample.img'),
    );
  });
}

test('any JSON under a good checksum, and any damage, ends in an error with a code or in the content', async () => {
  const bytes = luks2Sample(sample);
  const json = new TextDecoder().decode(bytes.subarray(4096, 16_384)).replace(/\0+$/, '');
  const property = fc.asyncProperty(
    fc.nat(json.length - 1),
    fc.constantFrom('"', '{', '9', '-', 'x', '0'),
    async (at, put) => {
      const changed = bytes.slice();
      const text = json.slice(0, at) + put + json.slice(at + 1);
      changed.set(luks2Header(text, 0, 9), 0);
      try {
        assert.equal((await open(changed)).size % 512, 0);
      } catch (error) {
        assert.ok(isVarveError(error, 'CORRUPT', 'UNSUPPORTED', 'PERMISSION'), `${error}`);
      }
    },
  );
  await fc.assert(property, { numRuns: 300 });
  for (let length = 512; length < luks2ContentOffset; length += 1999) {
    await assert.rejects(open(bytes.slice(0, length)), (error) => isVarveError(error));
  }
});
