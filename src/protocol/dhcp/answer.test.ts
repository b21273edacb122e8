import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddressPool } from './address-pool.ts';
import { answerRequest, type DhcpContext } from './answer.ts';
import { answerAsProxy } from './answer-as-proxy.ts';
import { type BootPlan, loaderFor } from './boot-options.ts';
import { clientOf } from './client.ts';
import { formatIpv4, parseIpv4 } from './ipv4.ts';
import { encodeValue, numberOf, type Options, textOf } from './option-codec.ts';
import { messageTypes, optionCodes } from './option-codes.ts';
import { type DhcpPacket, decodePacket, encodePacket } from './packet-codec.ts';
import { type Subnet, subnetOf } from './subnet.ts';

const server = parseIpv4('10.0.0.1');
const subnet: Subnet = {
  ...{ network: parseIpv4('10.0.0.0'), mask: parseIpv4('255.255.255.0'), reserve: 2, leaseSeconds: 600 },
  ranges: [[parseIpv4('10.0.0.10'), parseIpv4('10.0.0.14')]],
  fixed: new Map([['52:54:00:00:00:99', parseIpv4('10.0.0.99')]]),
  routers: [server],
  nameServers: [server],
};
const remote: Subnet = {
  ...subnet,
  network: parseIpv4('10.9.0.0'),
  ranges: [[parseIpv4('10.9.0.10'), parseIpv4('10.9.0.14')]],
};

function context(rest: Partial<DhcpContext> = {}): DhcpContext {
  const pools = [new AddressPool(subnet), new AddressPool(remote)];
  return { server, nowMs: 1e12, pools, isKnown: () => false, planFor: () => undefined, ...rest };
}

function ask(type: number, machine: number, options: Options = new Map(), rest: Partial<DhcpPacket> = {}): DhcpPacket {
  return {
    ...{ operation: 1, hardwareType: 1, hops: 0, transaction: 7, seconds: 0, flags: 0 },
    ...{ clientAddress: 0, yourAddress: 0, serverAddress: 0, relayAddress: 0, serverName: '', file: '' },
    hardwareAddress: Uint8Array.of(0x52, 0x54, 0, 0, machine >> 8, machine),
    options: new Map([[optionCodes.MESSAGE_TYPE, encodeValue.u8(type)], ...options]),
    ...rest,
  };
}

interface Told {
  readonly type: number | undefined;
  readonly address: string;
  readonly to: string;
  readonly change: string | undefined;
}

function tell(request: DhcpPacket, where: DhcpContext): Told | undefined {
  const { reply, change } = answerRequest(request, where);
  if (reply === undefined) return undefined;
  const { address, port } = reply.destination;
  return {
    type: numberOf(reply.packet.options.get(optionCodes.MESSAGE_TYPE), 1),
    address: formatIpv4(reply.packet.yourAddress),
    to: `${typeof address === 'number' ? formatIpv4(address) : address}:${port}`,
    change: change?.kind,
  };
}

const wanting = (address: string, rest: Options = new Map()): Options =>
  new Map([[optionCodes.REQUESTED_ADDRESS, encodeValue.addresses(address)], ...rest]);
const choosing = (address: string): Options =>
  wanting(address, new Map([[optionCodes.SERVER_IDENTIFIER, encodeValue.addresses(server)]]));
const broadcast = 'broadcast:68';

test('a client is offered an address, gets it, renews it, and has it again later', () => {
  const where = context();
  const offer = { type: messageTypes.OFFER, address: '10.0.0.10', to: broadcast, change: undefined };
  const acknowledgement = { type: messageTypes.ACK, address: '10.0.0.10', to: broadcast, change: 'bound' };
  assert.deepEqual(tell(ask(messageTypes.DISCOVER, 1), where), offer);
  assert.deepEqual(tell(ask(messageTypes.REQUEST, 1, choosing('10.0.0.10')), where), acknowledgement);
  const renewal = ask(messageTypes.REQUEST, 1, new Map(), { clientAddress: parseIpv4('10.0.0.10') });
  assert.deepEqual(tell(renewal, where), { ...acknowledgement, to: '10.0.0.10:68' });
  assert.deepEqual(tell(ask(messageTypes.REQUEST, 1, wanting('10.0.0.10')), where), acknowledgement, 'INIT-REBOOT');
  assert.deepEqual(tell(ask(messageTypes.DISCOVER, 1), { ...where, nowMs: 2e12 }), offer, 'long after it ran out');
  assert.equal(tell(ask(messageTypes.DISCOVER, 2), where)?.address, '10.0.0.11');
});

test('a machine has one address, whatever its firmware, its loader and its system call themselves', () => {
  for (const [machine, expected] of [
    [1, '10.0.0.10'],
    [0x99, '10.0.0.99'],
  ] as const) {
    const where = context();
    for (const identifier of ['', '00aabbccdd', '01525400000001', 'ff00112233']) {
      const options: Options = new Map([[optionCodes.CLIENT_IDENTIFIER, Buffer.from(identifier, 'hex')]]);
      const address = tell(ask(messageTypes.DISCOVER, machine, options), where)?.address;
      assert.equal(address, expected);
      const chosen = new Map([...choosing(expected), ...options]);
      assert.equal(tell(ask(messageTypes.REQUEST, machine, chosen), where)?.change, 'bound');
    }
  }
  const unnamed = clientOf(
    ask(messageTypes.DISCOVER, 0, new Map([[optionCodes.CLIENT_IDENTIFIER, Buffer.of(0xff, 1)]]), {
      hardwareType: 32,
      hardwareAddress: new Uint8Array(),
    }),
  );
  assert.equal(unnamed.identity, 'id:ff01');
});

test('a client is refused what is not its own, and others are left alone', () => {
  const where = context();
  tell(ask(messageTypes.DISCOVER, 1), where);
  assert.equal(tell(ask(messageTypes.REQUEST, 1, choosing('10.0.0.12')), where)?.type, messageTypes.NAK);
  assert.equal(tell(ask(messageTypes.REQUEST, 5, wanting('192.168.1.1')), where)?.type, messageTypes.NAK, 'moved here');
  assert.equal(tell(ask(messageTypes.REQUEST, 5, wanting('10.0.0.12')), where), undefined, 'perhaps of another server');
  const other = new Map([[optionCodes.SERVER_IDENTIFIER, encodeValue.addresses('10.0.0.2')]]);
  assert.equal(tell(ask(messageTypes.REQUEST, 1, wanting('10.0.0.10', other)), where), undefined);
});

test('addresses that are given back are given again, those that are declined are not', () => {
  const where = context({ isKnown: () => true });
  const bind = (machine: number): string => {
    const address = tell(ask(messageTypes.DISCOVER, machine), where)!.address;
    return tell(ask(messageTypes.REQUEST, machine, choosing(address)), where)!.address;
  };
  for (let machine = 1; machine <= 5; machine += 1) bind(machine);
  assert.equal(tell(ask(messageTypes.DISCOVER, 6), where), undefined, 'all are taken');
  const clientAddress = parseIpv4('10.0.0.12');
  const released = answerRequest(ask(messageTypes.RELEASE, 3, new Map(), { clientAddress }), where);
  assert.deepEqual(released.change, { kind: 'freed', address: clientAddress });
  assert.equal(bind(6), '10.0.0.12');
  answerRequest(ask(messageTypes.DECLINE, 6, wanting('10.0.0.12')), where);
  assert.equal(tell(ask(messageTypes.DISCOVER, 7), where), undefined);
  assert.equal(tell(ask(messageTypes.DISCOVER, 7), { ...where, nowMs: 1e12 + 601_000 })?.address, '10.0.0.12');
});

test('a flood of machines that nobody knows leaves the reserve, and fixed addresses', () => {
  const where = context({ isKnown: (client) => client.hardwareAddress === '52:54:00:00:00:07' });
  for (let machine = 1000; machine < 3000; machine += 1) {
    const address = tell(ask(messageTypes.DISCOVER, machine), where)?.address;
    if (address !== undefined) tell(ask(messageTypes.REQUEST, machine, choosing(address)), where);
  }
  assert.equal(tell(ask(messageTypes.DISCOVER, 3000), where), undefined);
  assert.equal(tell(ask(messageTypes.DISCOVER, 7), where)?.address, '10.0.0.13');
  assert.equal(tell(ask(messageTypes.DISCOVER, 0x99), where)?.address, '10.0.0.99');
  assert.ok(tell(ask(messageTypes.DISCOVER, 3000), { ...where, nowMs: 1e12 + 601_000 }), 'leases ran out');
});

test('a relay gets the answer, with its own option, of its own network', () => {
  const where = context();
  const relayAddress = parseIpv4('10.9.0.1');
  const request = ask(messageTypes.DISCOVER, 1, new Map([[82, encodeValue.text('\x01\x02ab')]]), { relayAddress });
  assert.deepEqual(tell(request, where), {
    ...{ type: messageTypes.OFFER, address: '10.9.0.10', to: '10.9.0.1:67', change: undefined },
  });
  const { reply } = answerRequest(request, where);
  assert.equal(textOf(reply?.packet.options.get(82)), '\x01\x02ab');
  assert.equal(subnetOf([subnet, remote], relayAddress), remote);
  assert.equal(answerRequest(ask(messageTypes.DISCOVER, 1, new Map(), { relayAddress: 1 }), where).reply, undefined);
});

test('INFORM tells the options and leases nothing', () => {
  const request = ask(messageTypes.INFORM, 1, new Map(), { clientAddress: parseIpv4('10.0.0.200') });
  const { reply, change } = answerRequest(request, context());
  assert.equal(change, undefined);
  assert.equal(reply?.packet.yourAddress, 0);
  assert.equal(reply?.packet.options.has(optionCodes.LEASE_TIME), false);
  assert.ok(reply?.packet.options.has(optionCodes.DOMAIN_NAME_SERVER));
});

test('a machine that starts from its root path alone is told no file', () => {
  const plan = {
    fileName: '',
    serverAddress: server,
    rootPath: 'iscsi:10.0.0.1::3260:0:iqn.2026-11.internal.varve:web',
  };
  const options: Options = new Map([[optionCodes.VENDOR_CLASS, encodeValue.text('PXEClient:Arch:00000:UNDI:002001')]]);
  const { reply } = answerRequest(ask(messageTypes.DISCOVER, 1, options), context({ planFor: () => plan }));
  assert.equal(textOf(reply?.packet.options.get(optionCodes.ROOT_PATH)), plan.rootPath);
  assert.equal(reply?.packet.options.has(optionCodes.BOOT_FILE_NAME), false);
  assert.equal(reply?.packet.options.has(optionCodes.TFTP_SERVER_NAME), false);
});

const loaders = { bios: 'undionly.kpxe', 'efi-x64': 'ipxe.efi', 'efi-arm64': 'arm64.efi' };
const firmware = (architecture: number, vendorClass: string): Options =>
  new Map([
    [optionCodes.ARCHITECTURE, encodeValue.u16(architecture)],
    [optionCodes.VENDOR_CLASS, encodeValue.text(vendorClass)],
    [optionCodes.MACHINE_IDENTIFIER, Buffer.alloc(17, 0)],
  ]);

for (const [architecture, loader] of [
  [0, 'undionly.kpxe'],
  [7, 'ipxe.efi'],
  [9, 'ipxe.efi'],
  [11, 'arm64.efi'],
  [6, undefined],
  [999, undefined],
] as const) {
  test(`a proxy tells firmware of architecture ${architecture} to start ${loader}`, () => {
    const plan = (fileName: string | undefined): BootPlan | undefined =>
      fileName === undefined ? undefined : { fileName, serverAddress: server };
    const where = context({ planFor: (client) => plan(loaderFor(client, loaders)) });
    const options = firmware(architecture, `PXEClient:Arch:${architecture}:UNDI:003016`);
    const first = answerAsProxy(ask(messageTypes.DISCOVER, 1, options), 67, where).reply;
    assert.equal(first?.packet.file, loader);
    const second = answerAsProxy(ask(messageTypes.REQUEST, 1, options), 4011, where).reply;
    assert.equal(second?.packet.file, loader);
    assert.equal(answerAsProxy(ask(messageTypes.REQUEST, 1, options), 67, where).reply, undefined);
    if (loader === undefined || second === undefined) return;
    assert.equal(second.destination.address, 'sender');
    assert.equal(textOf(second.packet.options.get(optionCodes.VENDOR_CLASS)), 'PXEClient');
    assert.deepEqual([...second.packet.options.get(optionCodes.VENDOR_SPECIFIC)!], [6, 1, 8, 255]);
    assert.equal(second.packet.options.get(optionCodes.MACHINE_IDENTIFIER)?.length, 17);
  });
}

test('HTTP clients get a URI and hear that an HTTPClient is meant; iPXE does not wait for PXE', () => {
  const fileName = `http://10.0.0.1/${'long/'.repeat(40)}ipxe.efi`;
  const plan: BootPlan = { fileName, serverAddress: server, rootPath: 'iscsi:10.0.0.1::::iqn', pathPrefix: '/boot/' };
  const where = context({ planFor: () => plan });
  const http = ask(messageTypes.DISCOVER, 1, firmware(16, 'HTTPClient:Arch:00016:UNDI:003001'));
  assert.ok(clientOf(http).architecture?.isHttp);
  const reply = decodePacket(encodePacket(answerRequest(http, where).reply!.packet));
  assert.deepEqual(
    [reply.file, textOf(reply.options.get(67)), textOf(reply.options.get(60))],
    ['', fileName, 'HTTPClient'],
  );
  const ipxe = ask(messageTypes.DISCOVER, 2, new Map([[optionCodes.USER_CLASS, encodeValue.text('iPXE')]]));
  const answer = answerRequest(ipxe, where).reply!.packet.options;
  assert.deepEqual([...answer.get(optionCodes.IPXE)!], [176, 1, 1]);
  assert.equal(textOf(answer.get(optionCodes.ROOT_PATH)), 'iscsi:10.0.0.1::::iqn');
  assert.equal(textOf(answer.get(optionCodes.PATH_PREFIX)), '/boot/');
});
