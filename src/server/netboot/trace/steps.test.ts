import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIpv4 } from '../../../protocol/dhcp/ipv4.ts';
import { encodeValue, type Options } from '../../../protocol/dhcp/option-codec.ts';
import { messageTypes, optionCodes } from '../../../protocol/dhcp/option-codes.ts';
import type { DhcpPacket } from '../../../protocol/dhcp/packet-codec.ts';
import { dhcpSteps } from './dhcp-steps.ts';
import { fileKey, macOfName } from './file-key.ts';
import { httpStep, machineStep, tftpStep } from './file-steps.ts';

const mac = '52:54:00:12:34:56';

function packet(type: number, options: readonly (readonly [number, Uint8Array])[], yourAddress = 0): DhcpPacket {
  const all: Options = new Map([[optionCodes.MESSAGE_TYPE, Uint8Array.of(type)], ...options]);
  return {
    ...{ operation: 1, hardwareType: 1, hops: 0, transaction: 1, seconds: 0, flags: 0, clientAddress: 0, yourAddress },
    ...{ serverAddress: 0, relayAddress: 0, serverName: '', file: '', options: all },
    hardwareAddress: Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56),
  };
}

const pxe = [optionCodes.VENDOR_CLASS, encodeValue.text('PXEClient:Arch:00011')] as const;
const arm = [optionCodes.ARCHITECTURE, Uint8Array.of(0, 11)] as const;
const loader = [optionCodes.BOOT_FILE_NAME, encodeValue.text('snponly.efi')] as const;
const address = parseIpv4('10.9.0.20')!;
const firmware = { timeMs: 5, mac, asker: 'firmware', architecture: 'ARM64 EFI' };

test('a DISCOVER and its OFFER are two steps', () => {
  const request = packet(messageTypes.DISCOVER, [pxe, arm]);
  const reply = packet(messageTypes.OFFER, [loader], address);
  assert.deepEqual(dhcpSteps({ request, reply }, 5), [
    { ...firmware, kind: 'discover', address: undefined },
    { timeMs: 5, mac, asker: 'firmware', kind: 'offer', address: '10.9.0.20', fileName: 'snponly.efi' },
  ]);
});

test('an OFFER of nothing to start is told as such, with why', () => {
  const request = packet(messageTypes.DISCOVER, [pxe, arm]);
  const reply = packet(messageTypes.OFFER, [], address);
  const told = (steps: readonly object[]) => steps.slice(-1);
  const silence = { ...firmware, kind: 'unanswered' };
  assert.deepEqual(told(dhcpSteps({ request, reply }, 5)), [{ ...silence, reason: 'nothingToBoot' }]);
  assert.deepEqual(told(dhcpSteps({ request }, 5)), [{ ...silence, reason: 'noAddress' }]);
  assert.deepEqual(told(dhcpSteps({ request, reply }, 5, () => ({ reason: 'noLoader', detail: 'install grub' }))), [
    { ...silence, reason: 'noLoader', detail: 'install grub' },
  ]);
  const odd = packet(messageTypes.DISCOVER, [pxe, [optionCodes.ARCHITECTURE, Uint8Array.of(0, 99)]]);
  assert.deepEqual(told(dhcpSteps({ request: odd, reply }, 5)), [
    { ...silence, architecture: 'architecture 99', reason: 'noLoader' },
  ]);
  const failure = new Error('no space left');
  assert.deepEqual(told(dhcpSteps({ request, failure }, 5)), [
    { ...silence, reason: 'failure', detail: 'no space left' },
  ]);
});

test('a root path alone is something to start', () => {
  const request = packet(messageTypes.DISCOVER, [pxe, [optionCodes.USER_CLASS, encodeValue.text('iPXE')]]);
  const reply = packet(messageTypes.OFFER, [[optionCodes.ROOT_PATH, encodeValue.text('iscsi:10.9.0.1::::x')]], address);
  const [, offer, ...more] = dhcpSteps({ request, reply }, 5);
  assert.partialDeepStrictEqual(offer, { kind: 'offer', fileName: 'iscsi:10.9.0.1::::x' });
  assert.deepEqual(more, []);
});

test('a REQUEST that another server answers tells the address', () => {
  const asked = [optionCodes.REQUESTED_ADDRESS, encodeValue.addresses(address)] as const;
  const request = packet(messageTypes.REQUEST, [pxe, arm, asked]);
  assert.deepEqual(dhcpSteps({ request }, 5), [{ ...firmware, kind: 'request', address: '10.9.0.20' }]);
});

test('systems and iPXE are told from firmware, and other messages are no steps', () => {
  const ipxe = packet(messageTypes.DISCOVER, [pxe, [optionCodes.USER_CLASS, encodeValue.text('iPXE')]]);
  assert.partialDeepStrictEqual(dhcpSteps({ request: ipxe }, 5)[0], { asker: 'ipxe', architecture: 'BIOS' });
  assert.deepEqual(dhcpSteps({ request: packet(messageTypes.DISCOVER, []) }, 5).length, 1);
  assert.deepEqual(dhcpSteps({ request: packet(messageTypes.RELEASE, [pxe]) }, 5), []);
  assert.deepEqual(dhcpSteps({ request: packet(77, [pxe]) }, 5), []);
});

test('a TFTP transfer is a step with the status that HTTP would have', () => {
  const event = {
    client: '10.9.0.20 1234',
    fileName: 'x',
    size: undefined,
    milliseconds: 1,
    failure: 'there is no file x',
  };
  assert.partialDeepStrictEqual(tftpStep(event, 5), {
    address: '10.9.0.20',
    name: 'x',
    status: 404,
    failure: 'there is no file x',
  });
  assert.partialDeepStrictEqual(tftpStep({ ...event, size: 7, failure: undefined }, 5), { status: 200, size: 7 });
});

test('an HTTP request is a step, but for a HEAD of what is there', () => {
  const event = {
    client: '[::1]:80',
    method: 'GET',
    name: 'x',
    status: 200,
    size: 7,
    milliseconds: 1,
    failure: undefined,
  };
  assert.partialDeepStrictEqual(httpStep(event, 5), { address: '::1', status: 200, size: 7 });
  assert.equal(httpStep({ ...event, method: 'HEAD' }, 5), undefined);
  assert.partialDeepStrictEqual(httpStep({ ...event, method: 'HEAD', status: 404, client: '::ffff:10.9.0.20' }, 5), {
    address: '10.9.0.20',
    status: 404,
  });
  assert.partialDeepStrictEqual(httpStep({ ...event, client: '10.9.0.20:555' }, 5), { address: '10.9.0.20' });
});

test('what a machine does to its disk is a step', () => {
  const event = { mac: '52-54-00-12-34-56', timeMs: 5, detail: 'web@3', connectionCount: 0 };
  const stepOf = (kind: 'login' | 'logout' | 'first-write' | 'failed' | 'begin', connectionCount = 0) =>
    machineStep({ ...event, kind, connectionCount }, 'nbd');
  assert.deepEqual(stepOf('login'), { timeMs: 5, mac, kind: 'login', protocol: 'nbd', disk: 'web@3' });
  assert.deepEqual(stepOf('first-write'), { timeMs: 5, mac, kind: 'write' });
  assert.deepEqual([stepOf('logout')?.kind, stepOf('logout', 1), stepOf('begin')], ['end', undefined, undefined]);
  assert.partialDeepStrictEqual(stepOf('failed'), { kind: 'login', failure: 'web@3' });
});

test('names are compared without a server, and shown without tokens', () => {
  const token = '0123456789abcdef'.repeat(2);
  assert.equal(fileKey('http://10.9.0.1:8080/loader/ipxe.efi?x'), 'loader/ipxe.efi');
  assert.equal(fileKey('\\boot\\x.efi'), 'boot/x.efi');
  assert.equal(fileKey(`https://server/template/${token}/user-data`), 'template/…/user-data');
  assert.equal(fileKey('x'.repeat(999)).length, 256);
});

test('a MAC address is found in the names that have one', () => {
  for (const name of [
    'ipxe/52-54-00-12-34-56.ipxe',
    'ipxe/52-54-00-12-34-56/web.ipxe',
    'pxelinux.cfg/01-52-54-00-12-34-56',
    'grub/grub.cfg-01-52-54-00-12-34-56',
    'pxe/52-54-00-12-34-56/web/kernel',
  ]) {
    assert.equal(macOfName(name), mac, name);
  }
  assert.equal(macOfName('pxelinux.cfg/0a1b2c3d-1111-2222-3333-444455556666'), undefined);
});
