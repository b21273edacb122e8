import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomBytes, randomHex, randomUuid } from './random.ts';

test('randomBytes gives as many bytes as asked for, other ones each time', () => {
  for (const length of [0, 1, 16, 1000]) assert.equal(randomBytes(length).length, length);
  assert.notDeepEqual(randomBytes(16), randomBytes(16));
});

test('randomHex gives two digits for a byte', () => {
  assert.match(randomHex(8), /^[0-9a-f]{16}$/);
});

test('randomUuid has the version and variant of a random UUID, and no two are the same', () => {
  const uuids = Array.from({ length: 200 }, () => randomUuid());
  for (const uuid of uuids) assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Set(uuids).size, uuids.length);
});
