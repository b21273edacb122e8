import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { luks1Sample } from '../../test/luks/luks1-sample.ts';
import { isVarveError } from '../base/varve-error.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { pattern } from '../conformance/device-content.ts';
import { mergeStripes, splitKey } from './anti-forensic.ts';
import { decodeLuks1Header, encodeLuks1Header } from './luks1-header.ts';
import { sectorCipher } from './sector-cipher.ts';
import { openLuks1 } from './unlock-luks1.ts';

const key = pattern(64, 9);
const sample = { passphrase: 'open sesame', key, cipherMode: 'xts-plain64', hashSpec: 'sha256', slot: 5 };
const place = { offset: 1024, name: 'sample.img' };

function deviceOf(area: Uint8Array) {
  const device = memoryDevice(place.offset + area.length, { readOnly: false });
  device.write(area, place.offset);
  return device;
}

function open(area: Uint8Array) {
  return openLuks1(deviceOf(area), { ...place, length: area.length });
}

const ways = [
  sample,
  { ...sample, hashSpec: 'sha1', slot: 0 },
  { ...sample, hashSpec: 'sha512', slot: 7 },
  { ...sample, hashSpec: 'ripemd160', cipherMode: 'cbc-plain64', key: pattern(32, 3) },
  { ...sample, cipherMode: 'cbc-essiv:sha256', key: pattern(16, 3) },
];
for (const way of ways) {
  test(`a passphrase gives the key of ${way.cipherMode} with ${way.hashSpec} in slot ${way.slot}`, async () => {
    const cipher = await (await open(luks1Sample(way))).unlock(Buffer.from(way.passphrase));
    const [bytes, expected] = [pattern(1024, 1), pattern(1024, 1)];
    cipher.encrypt(bytes, 77);
    sectorCipher('aes', way.cipherMode, way.key, 'sample').encrypt(expected, 77);
    assert.deepEqual(bytes, expected);
  });
}

test('another passphrase is refused', async () => {
  const locked = await open(luks1Sample(sample));
  await assert.rejects(
    locked.unlock(Buffer.from('open sesam')),
    (error) => isVarveError(error, 'PERMISSION') && error.message.includes('sample.img'),
  );
});

test('a key is all of its stripes together', () => {
  const property = fc.property(
    fc.uint8Array({ minLength: 1, maxLength: 70 }),
    fc.integer({ min: 1, max: 9 }),
    fc.constantFrom('sha1', 'sha256'),
    (secret, stripes, hash) => {
      const material = splitKey(secret, stripes, hash, pattern(secret.length * (stripes - 1), 5));
      assert.deepEqual(mergeStripes(material, secret.length, stripes, hash), new Uint8Array(secret));
      material[0]! ^= 1;
      assert.notDeepEqual(mergeStripes(material, secret.length, stripes, hash), new Uint8Array(secret));
    },
  );
  fc.assert(property);
});

test('a header is encoded as it was decoded', () => {
  const bytes = luks1Sample(sample).subarray(0, 592);
  assert.deepEqual(Buffer.from(encodeLuks1Header(decodeLuks1Header(bytes, 'sample'))), Buffer.from(bytes));
});

const fields: readonly (readonly [what: string, place: number, value: number, code: 'CORRUPT' | 'UNSUPPORTED'])[] = [
  ['magic', 0, 0, 'CORRUPT'],
  ['version', 4, 0xbabe0002, 'UNSUPPORTED'],
  ['hash-spec', 72, 0, 'UNSUPPORTED'],
  ['key-bytes', 108, 2 ** 32 - 1, 'CORRUPT'],
  ['key-bytes that fit no cipher', 108, 48, 'CORRUPT'],
  ['mk-digest-iterations', 164, 2 ** 32 - 1, 'CORRUPT'],
  ['active', 208 + 5 * 48, 1, 'CORRUPT'],
  ['iterations', 208 + 5 * 48 + 4, 2 ** 31, 'CORRUPT'],
  ['no iterations', 208 + 5 * 48 + 4, 0, 'CORRUPT'],
  ['key-material-offset', 208 + 5 * 48 + 40, 2 ** 32 - 1, 'CORRUPT'],
  ['stripes', 208 + 5 * 48 + 44, 2 ** 32 - 1, 'CORRUPT'],
  ['no stripes', 208 + 5 * 48 + 44, 0, 'CORRUPT'],
];
for (const [what, at, value, code] of fields) {
  test(`a header with a bad ${what} is ${code}`, async () => {
    const area = luks1Sample(sample);
    new DataView(area.buffer).setUint32(at, value);
    await assert.rejects(open(area), (error) => isVarveError(error, code) && error.message.includes('sample.img'));
  });
}

test('a header that is cut off, or full of anything, ends in an error with a code', async () => {
  const area = luks1Sample(sample);
  for (let length = 0; length < area.length; length += 97) {
    await assert.rejects(open(area.slice(0, length)), (error) => isVarveError(error, 'CORRUPT'));
  }
  const property = fc.asyncProperty(fc.nat(591), fc.nat(255), async (at, value) => {
    const changed = area.slice();
    changed[at] = value;
    // Iterations may well be many and within the bounds, and take their time.
    if (new DataView(changed.buffer).getUint32(208 + 5 * 48 + 4) > 1000) return;
    if (new DataView(changed.buffer).getUint32(164) > 1000) return;
    try {
      await (await open(changed)).unlock(Buffer.from(sample.passphrase));
    } catch (error) {
      assert.ok(isVarveError(error, 'CORRUPT', 'UNSUPPORTED', 'PERMISSION'), `${error}`);
    }
  });
  await fc.assert(property, { numRuns: 300 });
});
