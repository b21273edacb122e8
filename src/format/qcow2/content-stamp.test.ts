import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../../base/varve-error.ts';
import { type ContentStamp, decodeContentStamp, encodeContentStamp } from './content-stamp.ts';

const fields = {
  coverage: fc.constantFrom<'all' | 'samples'>('all', 'samples'),
  size: fc.maxSafeNat(),
  modifiedNs: fc.bigInt(0n, 2n ** 64n - 1n),
  time: fc.maxSafeNat(),
  hash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  baseName: fc.string({ unit: 'grapheme' }),
  author: fc.string(),
  message: fc.string({ unit: 'grapheme' }),
} as const;
const stamps: fc.Arbitrary<ContentStamp> = fc.record(fields, { noNullPrototype: true });

test('a stamp that is encoded and decoded is the same', () => {
  fc.assert(fc.property(stamps, (stamp) => assert.deepEqual(decodeContentStamp(encodeContentStamp(stamp)), stamp)));
});

test('whatever bytes come, a stamp decodes or is corrupt', () => {
  const bytes = fc.oneof(fc.uint8Array(), stamps.map(encodeContentStamp));
  fc.assert(
    fc.property(bytes, fc.nat(), fc.nat(255), (data, index, value) => {
      const damaged = data.slice(0, index % 2 === 0 ? data.length : index % (data.length + 1));
      if (damaged.length > 0) damaged[index % damaged.length] = value;
      try {
        decodeContentStamp(damaged);
      } catch (error) {
        assert.ok(isVarveError(error, 'CORRUPT'), String(error));
      }
    }),
  );
});

test('a version of later times is passed over', () => {
  assert.equal(decodeContentStamp(new Uint8Array([0, 0, 0, 2])), undefined);
});

test('a message that would not fit into a header is refused', () => {
  const stamp = { coverage: 'all', size: 0, modifiedNs: 0n, time: 0, hash: new Uint8Array(32) } as const;
  const encode = (): unknown => encodeContentStamp({ ...stamp, baseName: '', author: '', message: 'x'.repeat(20_000) });
  assert.throws(encode, { code: 'INVALID' });
});
