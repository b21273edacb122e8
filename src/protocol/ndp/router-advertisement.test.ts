import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeEmptyAdvertisement } from './router-advertisement.ts';

test('an advertisement has the bytes and the sum that tshark reads', () => {
  const own = Buffer.from('525400aabbcc', 'hex');
  const host = Buffer.from('525400000001', 'hex');
  const packet = Buffer.from(encodeEmptyAdvertisement(own, host));
  assert.equal(packet.toString('hex', 0, 8), '6000000000103aff');
  assert.equal(packet.toString('hex', 8, 24), 'fe80000000000000505400fffeaabbcc');
  assert.equal(packet.toString('hex', 24, 40), 'fe80000000000000505400fffe000001');
  assert.equal(packet.toString('hex', 44), '000000000000000000000000');
  // With its own sum in it, what is summed up is all ones.
  let sum = 16 + 58;
  for (let position = 8; position < packet.length; position += 2) sum += packet.readUInt16BE(position);
  assert.equal((sum & 0xffff) + (sum >>> 16), 0xffff);
});
