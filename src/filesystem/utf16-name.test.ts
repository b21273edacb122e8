import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nameFromUtf16, utf16FromName } from './utf16-name.ts';

const unit = fc.integer({ min: 1, max: 0xffff }).filter((value) => value !== 0x2f);

test('names of any units come back from their bytes', () => {
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 20 }), (units) => {
      const name = nameFromUtf16(Uint16Array.from(units));
      assert.deepEqual([...utf16FromName(name)!], units);
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0xd7fe, max: 0xe002 }), { maxLength: 8 }), (units) => {
      assert.deepEqual([...utf16FromName(nameFromUtf16(Uint16Array.from(units)))!], units);
    }),
  );
});

test('half of a pair is three bytes, a whole one is UTF-8, and nothing separates', () => {
  const bytes = (...units: number[]) => Buffer.from(nameFromUtf16(Uint16Array.from(units))).toString('hex');
  assert.equal(bytes(0xd83d), 'eda0bd');
  assert.equal(bytes(0xd83d, 0xde00), 'f09f9880');
  assert.equal(bytes(0x41, 0x2f, 0, 0x42), '415f5f42');
  assert.equal(utf16FromName(Uint8Array.of(0xff)), undefined);
});
