import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatHardwareAddress, hardwareAddressBytes } from './hardware-address.ts';

test('hardware addresses are bytes and text, however they are separated', () => {
  const bytes = Uint8Array.of(0x52, 0x54, 0, 0xab, 0x0c, 0xff);
  assert.equal(formatHardwareAddress(bytes), '52:54:00:ab:0c:ff');
  for (const text of ['52:54:00:ab:0c:ff', '52-54-00-AB-0C-FF']) assert.deepEqual(hardwareAddressBytes(text), bytes);
  assert.equal(formatHardwareAddress(new Uint8Array()), '');
});
