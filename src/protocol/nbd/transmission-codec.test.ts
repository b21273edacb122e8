import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chunkTypes, commandFlags, commands, flagNames, nameIn, nbdErrors } from './constants.ts';
import {
  decodeRequest,
  emptyRequest,
  encodeChunkHeader,
  encodeErrorPayload,
  encodeHolePayload,
  encodeRequest,
  encodeSimpleReply,
  encodeStatusPayload,
  replyLength,
  requestLength,
  statusChunkType,
} from './transmission-codec.ts';

const cookie = { cookieHigh: 0x01020304, cookieLow: 0xf5060708 };

function hexOf(length: number, encode: (view: DataView, position: number) => void): string {
  const view = new DataView(new ArrayBuffer(length + 6));
  encode(view, 3);
  const bytes = Buffer.from(view.buffer);
  assert.equal(bytes.subarray(0, 3).toString('hex') + bytes.subarray(length + 3).toString('hex'), '0'.repeat(12));
  return bytes.subarray(3, length + 3).toString('hex');
}

test('a request is what the protocol has, compact and extended', () => {
  const request = { ...cookie, hasMagic: true, flags: 3, command: commands.WRITE, offset: 2 ** 41 + 5, length: 4096 };
  assert.equal(
    hexOf(28, (view, position) => encodeRequest(view, position, false, request)),
    '25609513' + '0003' + '0001' + '01020304f5060708' + '0000020000000005' + '00001000',
  );
  assert.equal(
    hexOf(32, (view, position) => encodeRequest(view, position, true, { ...request, length: 2 ** 33 })),
    '21e41c71' + '0003' + '0001' + '01020304f5060708' + '0000020000000005' + '0000000200000000',
  );
});

test('a request survives the way there, and the wrong magic shows', () => {
  const u32 = fc.nat({ max: 0xffffffff });
  const u16 = fc.nat({ max: 0xffff });
  const long = fc.nat({ max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(fc.boolean(), u16, u16, u32, u32, long, u32, (extended, flags, command, high, low, offset, length) => {
      const request = { hasMagic: true, flags, command, cookieHigh: high, cookieLow: low, offset, length };
      const view = new DataView(new ArrayBuffer(40));
      assert.equal(encodeRequest(view, 5, extended, request), requestLength(extended ? 'extended' : 'simple'));
      const decoded = emptyRequest();
      decodeRequest(view, 5, extended, decoded);
      assert.deepEqual(decoded, request);
      decodeRequest(view, 5, !extended, decoded);
      assert.equal(decoded.hasMagic, false);
    }),
  );
});

test('an offset past all disks is no safe integer', () => {
  const view = new DataView(new ArrayBuffer(32));
  view.setBigUint64(16, 2n ** 64n - 1n);
  const request = emptyRequest();
  decodeRequest(view, 0, false, request);
  assert.equal(Number.isSafeInteger(request.offset), false);
});

test('replies are what the protocol has', () => {
  assert.equal(
    hexOf(replyLength('simple'), (view, position) => encodeSimpleReply(view, position, cookie, nbdErrors.EIO)),
    '67446698' + '00000005' + '01020304f5060708',
  );
  const chunk = { ...cookie, type: chunkTypes.OFFSET_DATA, isLast: true, offset: 512, length: 4104 };
  assert.equal(
    hexOf(replyLength('structured'), (view, position) => encodeChunkHeader(view, position, false, chunk)),
    '668e33ef' + '0001' + '0001' + '01020304f5060708' + '00001008',
  );
  assert.equal(
    hexOf(replyLength('extended'), (view, position) =>
      encodeChunkHeader(view, position, true, { ...chunk, isLast: false }),
    ),
    '6e8a278c' + '0000' + '0001' + '01020304f5060708' + '0000000000000200' + '0000000000001008',
  );
});

test('payloads are what the protocol has', () => {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  assert.equal(hex(encodeErrorPayload(22, 'no')), '00000016' + '0002' + '6e6f');
  assert.equal(hex(encodeErrorPayload(5, '', 512)), '00000005' + '0000' + '0000000000000200');
  assert.equal(encodeErrorPayload(5, 'é'.repeat(9000)).length, 6 + 4096);
  assert.equal(hex(encodeHolePayload(2 ** 32, 65536)), '0000000100000000' + '00010000');
  const runs = [
    { length: 4096, flags: 3 },
    { length: 512, flags: 0 },
  ];
  assert.equal(hex(encodeStatusPayload(1, runs, false)), '00000001' + '0000100000000003' + '0000020000000000');
  assert.equal(
    hex(encodeStatusPayload(1, [{ length: 2 ** 40, flags: 1 }], true)),
    '00000001' + '00000001' + '0000010000000000' + '0000000000000001',
  );
  assert.deepEqual([statusChunkType(false), statusChunkType(true)], [5, 6]);
});

test('numbers have their names', () => {
  assert.equal(nameIn(commands, 7), 'BLOCK_STATUS');
  assert.equal(nameIn(commands, 77), '77');
  assert.equal(flagNames(commandFlags, 5), 'FUA|DF');
  assert.equal(flagNames(commandFlags, 0x104), 'DF|0x100');
  assert.equal(flagNames(commandFlags, 0), '0');
});
