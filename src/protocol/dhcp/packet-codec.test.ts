import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../../base/varve-error.ts';
import { clientOf } from './client.ts';
import { encodeOption, encodeValue, type Options } from './option-codec.ts';
import { optionCodes } from './option-codes.ts';
import { type DhcpPacket, decodePacket, encodePacket, fitPacket } from './packet-codec.ts';

function packet(options: Options, rest: Partial<DhcpPacket> = {}): DhcpPacket {
  return {
    ...{ operation: 1, hardwareType: 1, hops: 0, transaction: 0xdeadbeef, seconds: 3, flags: 0x8000 },
    ...{ clientAddress: 1, yourAddress: 2, serverAddress: 0xffffffff, relayAddress: 4 },
    ...{ hardwareAddress: Buffer.from('525400123456', 'hex'), serverName: 'name', file: 'file', options },
    ...rest,
  };
}

const asHex = ({ options }: DhcpPacket): [number, string][] =>
  [...options]
    .map(([code, value]): [number, string] => [code, Buffer.from(value).toString('hex')])
    .sort(([a], [b]) => a - b);

test('packets come back as they were, long options in pieces', () => {
  const before = packet(
    new Map([
      [43, Buffer.alloc(300, 7)],
      [12, encodeValue.text('host')],
    ]),
  );
  const after = decodePacket(encodePacket(before, 1500));
  assert.deepEqual(asHex(after), asHex(before));
  assert.deepEqual({ ...after, options: 0, hardwareAddress: 0 }, { ...before, options: 0, hardwareAddress: 0 });
});

test('options that do not fit go to the fields that are empty, option 82 stays last in its own', () => {
  const options: Options = new Map([120, 120, 100, 60].map((length, index) => [index + 101, Buffer.alloc(length, 9)]));
  options.set(optionCodes.RELAY_AGENT, encodeValue.text('relay'));
  const bytes = encodePacket(packet(options, { file: '', serverName: '' }));
  assert.ok(bytes.length <= 548);
  const after = decodePacket(bytes);
  assert.equal(after.options.get(optionCodes.OVERLOAD)?.[0], 3);
  assert.deepEqual(
    [...after.options.keys()].sort((a, b) => a - b),
    [52, 82, 101, 102, 103, 104],
  );
  assert.equal(Buffer.from(bytes).toString('latin1', bytes.length - 8), '\x52\x05relay\xff');
});

test('what does not fit is named, and is what a client can do without', () => {
  const options: Options = new Map([
    [optionCodes.DOMAIN_NAME, Buffer.alloc(200, 9)],
    [optionCodes.IPXE, Buffer.alloc(150, 9)],
    [43, Buffer.alloc(200, 9)],
    [optionCodes.ROOT_PATH, Buffer.alloc(60, 9)],
    [optionCodes.MESSAGE_TYPE, encodeValue.u8(5)],
  ]);
  const { bytes, leftOut } = fitPacket(packet(options, { file: 'file' }));
  assert.deepEqual(leftOut, [optionCodes.DOMAIN_NAME, optionCodes.IPXE]);
  assert.deepEqual([...decodePacket(bytes).options.keys()], [43, 17, 53]);
  assert.deepEqual(fitPacket(packet(options), 1500).leftOut, []);
});

test('a packet that was cut off or damaged is CORRUPT or a packet', () => {
  const bytes = encodePacket(packet(new Map([[12, encodeOption(3, encodeValue.text('x'))]])));
  for (let length = 0; length < 240; length += 1) {
    assert.throws(
      () => decodePacket(bytes.subarray(0, length)),
      (error) => isVarveError(error, 'CORRUPT'),
    );
  }
  const hostile = fc.uint8Array({ maxLength: 400 }).map((tail) => Buffer.concat([bytes.subarray(0, 240), tail]));
  fc.assert(
    fc.property(hostile, fc.nat(235), fc.nat(255), (damaged, place, value) => {
      damaged[place] = value;
      try {
        clientOf(decodePacket(damaged));
      } catch (error) {
        assert.ok(isVarveError(error, 'CORRUPT'), String(error));
      }
    }),
  );
});
