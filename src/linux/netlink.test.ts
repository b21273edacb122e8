import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isVarveError } from '../base/varve-error.ts';
import { isLinux } from './libc.ts';
import { askNetlink, encodeNetlink, netlinkAttributes, netlinkMessages } from './netlink.ts';

test('a request is encoded as the kernel has it, attributes at multiples of four bytes', () => {
  const attributes = [
    { type: 2, value: 'nbd' },
    { type: 7, value: [{ type: 1, value: Uint32Array.of(5) }] },
  ];
  const bytes = encodeNetlink({ family: 16, command: 3, attributes });
  const wanted = '28000000 1000 0500 01000000 00000000 03 01 0000 0800 0200 6e626400 0c00 0780 0800 0100 05000000';
  assert.equal(Buffer.from(bytes).toString('hex'), wanted.replaceAll(' ', ''));
});

test('messages and attributes that are cut off, or of impossible lengths, are left out', () => {
  const attributes = [
    { type: 1, value: Uint16Array.of(7) },
    { type: 2, value: 'x' },
  ];
  const message = Buffer.from(encodeNetlink({ family: 1, command: 1, attributes }));
  const [whole] = netlinkMessages(message);
  assert.deepEqual(
    [...netlinkAttributes(whole!.body.subarray(4))].map(([type, value]) => [type, value.toString('hex')]),
    [
      [1, '0700'],
      [2, '7800'],
    ],
  );
  for (let length = 0; length < message.length; length += 1) {
    assert.deepEqual([...netlinkMessages(message.subarray(0, length))], []);
    for (const [, value] of netlinkAttributes(message.subarray(20, Math.max(length, 20)))) assert.ok(value.length <= 2);
  }
  assert.deepEqual([...netlinkMessages(Buffer.alloc(64))], []);
  assert.deepEqual([...netlinkAttributes(Buffer.alloc(64))], []);
});

/** Which every kernel has. Source: linux/genetlink.h. */
const control = { family: 16, command: 3, doing: 'look for a family' };

test('the kernel tells the number of a family, and which there are none of', {
  skip: isLinux ? false : 'netlink is Linux’s own',
}, async () => {
  const found = await askNetlink({ ...control, attributes: [{ type: 2, value: 'nlctrl' }] });
  assert.deepEqual([...found.get(1)!], [16, 0]);
  const missing = askNetlink({ ...control, attributes: [{ type: 2, value: 'no such one' }] });
  await assert.rejects(missing, (error) => isVarveError(error, 'NOT_FOUND'));
});
