import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interfaceAddress } from './interface-address.ts';

const skip = process.platform === 'linux' ? false : 'only Linux is asked so';

test('interfaceAddress knows the addresses of the loopback, and that others are not there', { skip }, () => {
  assert.deepEqual(interfaceAddress('lo'), {
    hardwareAddress: new Uint8Array(6),
    ipv4: { address: Uint8Array.of(127, 0, 0, 1), mask: Uint8Array.of(255, 0, 0, 0) },
  });
  assert.equal(interfaceAddress('nothing'), undefined);
  assert.equal(interfaceAddress('a-name-that-is-too-long'), undefined);
});
