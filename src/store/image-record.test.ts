import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../base/varve-error.ts';
import { decodeImageRecord, encodeImageRecord, type ImageRecord, imageRecordKey } from './image-record.ts';

const record: ImageRecord = {
  uuid: '6ba7b810-9dad-41d1-80b4-00c04fd430c8',
  name: 'web',
  nextNumber: 4,
  tags: { golden: 2, ['__proto__']: 1, constructor: 3 },
  messages: { 1: 'first\nsecond 😀', 3: '' },
};
const corrupt = { name: 'VarveError', code: 'CORRUPT', message: /^a record: [^\n]+$/ };

function changed(fields: object): Uint8Array {
  return Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(encodeImageRecord(record)).toString()), ...fields }));
}

describe('image record', () => {
  test('decodes to what was encoded, whatever the tags are called', () => {
    const decoded = decodeImageRecord(encodeImageRecord(record), 'a record');
    assert.deepEqual(Object.entries(decoded.tags), Object.entries(record.tags));
    assert.equal(Object.entries(decoded.tags).length, 3);
    assert.deepEqual({ ...decoded, tags: undefined }, { ...record, tags: undefined });
  });

  test('cut short anywhere, or of other bytes, is a record or CORRUPT', () => {
    const bytes = encodeImageRecord(record);
    for (let length = 0; length < bytes.length - 1; length += 1) {
      assert.throws(() => decodeImageRecord(bytes.subarray(0, length), 'a record'), corrupt);
    }
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (place, value) => {
        const other = Uint8Array.from(bytes);
        other[place] = value;
        try {
          decodeImageRecord(other, 'a record');
        } catch (error) {
          assert.ok(isVarveError(error, 'CORRUPT', 'UNSUPPORTED'), `${error}`);
        }
      }),
    );
  });

  test('with a field missing or of a wrong kind is CORRUPT', () => {
    const wrong = {
      varve: [undefined, 'snapshot', null],
      uuid: [undefined, 1, '', '../../x', `${record.uuid}/x`],
      name: [undefined, 1, '', '../web', 'a/b'],
      next_number: [undefined, '4', 0, -1, 1.5, null],
      tags: [undefined, null, 1, 'x', [1], { a: '1' }, { a: 0 }, { '7': 1 }, { '../a': 1 }],
      messages: [undefined, null, 1, ['x'], { 1: 1 }, { x: 'x' }],
    };
    for (const [field, values] of Object.entries(wrong)) {
      for (const value of values) {
        const bytes = changed({ [field]: value });
        assert.throws(() => decodeImageRecord(bytes, 'a record'), corrupt, `${field}: ${JSON.stringify(value)}`);
      }
    }
    for (const text of ['', 'null', '[]', '1', '"image"']) {
      assert.throws(() => decodeImageRecord(Buffer.from(text), 'a record'), corrupt, text);
    }
  });

  test('of a newer version is UNSUPPORTED', () => {
    assert.throws(() => decodeImageRecord(changed({ version: 2 }), 'a record'), { code: 'UNSUPPORTED' });
  });

  test('has a key only for a uuid that stays inside the store', () => {
    assert.equal(imageRecordKey(record.uuid), `images/${record.uuid}.json`);
    for (const uuid of ['', '..', '../../x', `${record.uuid}\n`, `../${record.uuid}`]) {
      assert.throws(() => imageRecordKey(uuid), { code: 'CORRUPT' });
    }
  });
});
