import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { AddressPool } from '../../src/protocol/dhcp/address-pool.ts';
import { answerRequest } from '../../src/protocol/dhcp/answer.ts';
import { answerAsProxy } from '../../src/protocol/dhcp/answer-as-proxy.ts';
import type { BootPlan } from '../../src/protocol/dhcp/boot-options.ts';
import { parseIpv4 } from '../../src/protocol/dhcp/ipv4.ts';
import { encodeValue, type Options } from '../../src/protocol/dhcp/option-codec.ts';
import { messageTypes, optionCodes } from '../../src/protocol/dhcp/option-codes.ts';
import { type DhcpPacket, encodePacket } from '../../src/protocol/dhcp/packet-codec.ts';
import type { Subnet } from '../../src/protocol/dhcp/subnet.ts';
import { endProcess } from '../process/end-process.ts';
import { findDhcpCommand } from './find-dhcp.ts';
import { requireTool } from './require-tool.ts';
import { serveDhcpCommand } from './serve-dhcp.ts';

const run = promisify(execFile);

/** Two namespaces with a cable between: `<name>s` has the server at 10.77.0.1 on `srv`, `<name>c` the client on `cli`. */
class Cable {
  readonly server: string;
  readonly client: string;

  constructor(t: TestContext) {
    const name = `varve${process.pid % 10_000}`;
    this.server = `${name}s`;
    this.client = `${name}c`;
    t.after(() => {
      for (const space of [this.server, this.client]) spawnSync('ip', ['netns', 'delete', space]);
    });
    const ip = (...args: string[]): void => {
      const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
      assert.equal(status, 0, `ip ${args.join(' ')}: ${stderr}`);
    };
    for (const space of [this.server, this.client]) ip('netns', 'add', space);
    ip('link', 'add', 'srv', 'netns', this.server, 'type', 'veth', 'peer', 'name', 'cli', 'netns', this.client);
    ip('-n', this.server, 'address', 'add', '10.77.0.1/16', 'dev', 'srv');
    ip('-n', this.server, 'link', 'set', 'srv', 'up');
    ip('-n', this.client, 'link', 'set', 'cli', 'up');
    ip('-n', this.client, 'link', 'set', 'lo', 'up');
  }

  /** Serves until the test is over. */
  async serve(t: TestContext, directory: string, mode: 'server' | 'proxy'): Promise<void> {
    const command = [...insideOf(this.server), ...serveDhcpCommand(join(directory, 'leases'), mode)];
    const child = spawn('nsenter', command, { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => endProcess(child));
    await once(child.stdout, 'data');
  }

  inClient(...command: string[]): Promise<{ stdout: string; stderr: string }> {
    return run('nsenter', [...insideOf(this.client), ...command], { timeout: 25_000 });
  }
}

/**
 * For nsenter(1). `ip netns exec` would make a mount namespace as well, which holds copies of what other tests have mounted:
 * they could not take that away until this one is over.
 */
function insideOf(space: string): string[] {
  return [`--net=/run/netns/${space}`, '--'];
}

/** A cable and a directory, and which of `programs` it took; undefined where the test is skipped. */
function prepare(t: TestContext, ...programs: string[]): { cable: Cable; directory: string } | undefined {
  if (process.getuid?.() !== 0) {
    t.skip('only root makes network namespaces');
    return undefined;
  }
  for (const program of ['ip', ...programs]) if (requireTool(t, program) === undefined) return undefined;
  if (spawnSync('ip', ['netns', 'add', 'varve-probe']).status !== 0) {
    t.skip('network namespaces cannot be made here');
    return undefined;
  }
  spawnSync('ip', ['netns', 'delete', 'varve-probe']);
  const directory = mkdtempSync(join(tmpdir(), 'varve-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return { cable: new Cable(t), directory };
}

test('udhcpc gets an address and what it asks for', async (t) => {
  const place = prepare(t, 'busybox');
  if (place === undefined) return;
  const { cable, directory } = place;
  await cable.serve(t, directory, 'server');
  const script = join(directory, 'script');
  writeFileSync(script, '#!/bin/sh\n[ "$1" = bound ] && echo "$ip $subnet $router $dns $lease"\nexit 0\n', {
    mode: 0o755,
  });
  const { stdout } = await cable.inClient('busybox', 'udhcpc', '-i', 'cli', '-n', '-q', '-f', '-s', script);
  assert.match(stdout, /^10\.77\.1\.0 255\.255\.0\.0 10\.77\.0\.1 10\.77\.0\.1 3600$/m);
  assert.match(readFileSync(join(directory, 'leases'), 'latin1'), /"bound":/);
});

test('dhclient gets an address', async (t) => {
  const place = prepare(t, 'dhclient');
  if (place === undefined) return;
  const { cable, directory } = place;
  await cable.serve(t, directory, 'server');
  const files = ['-lf', join(directory, 'client'), '-pf', join(directory, 'pid')];
  await cable.inClient('dhclient', '-1', '-v', '-sf', '/bin/true', ...files, 'cli');
  assert.match(readFileSync(join(directory, 'client'), 'utf8'), /fixed-address 10\.77\.1\.0;/);
  await cable.inClient('dhclient', '-r', '-sf', '/bin/true', ...files, 'cli');
});

test('servers are found before one more is started', async (t) => {
  const place = prepare(t);
  if (place === undefined) return;
  const { cable, directory } = place;
  await cable.serve(t, directory, 'server');
  assert.equal((await cable.inClient(...findDhcpCommand('cli'))).stdout, '10.77.0.1\n');
});

test('a proxy is no server of addresses', async (t) => {
  const place = prepare(t);
  if (place === undefined) return;
  const { cable, directory } = place;
  await cable.serve(t, directory, 'proxy');
  assert.equal((await cable.inClient(...findDhcpCommand('cli'))).stdout, '\n');
});

const captured = [
  { name: 'the offer of a server', mode: 'server', vendorClass: 'PXEClient:Arch:00007:UNDI:003016', userClass: '' },
  { name: 'the offer of a proxy', mode: 'proxy', vendorClass: 'PXEClient:Arch:00000:UNDI:002001', userClass: 'iPXE' },
  {
    name: 'the offer to an HTTP client',
    mode: 'server',
    vendorClass: 'HTTPClient:Arch:00016:UNDI:003001',
    userClass: '',
  },
] as const;

for (const { name, mode, vendorClass, userClass } of captured) {
  test(`tshark finds nothing wrong with ${name}`, async (t) => {
    const tshark = requireTool(t, 'tshark');
    if (tshark === undefined) return;
    const directory = mkdtempSync(join(tmpdir(), 'varve-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const packet = answerTo(vendorClass, userClass, mode);
    const path = join(directory, 'packets.pcap');
    writeFileSync(path, captureOf(packet));
    const { stdout } = await run(tshark, ['-V', '-r', path], { maxBuffer: 2 ** 24 });
    assert.match(stdout, /DHCP: Offer|\(Offer\)/);
    assert.match(stdout, new RegExp(`Vendor class identifier: ${vendorClass.slice(0, 4)}`));
    assert.match(stdout, /\(17\) Root Path/);
    assert.doesNotMatch(stdout, /[Mm]alformed|Expert Info \((Error|Warning)/);
  });
}

/** What we answer a client that takes long packets, with everything that firmware can be told. */
function answerTo(vendorClass: string, userClass: string, mode: 'server' | 'proxy'): Uint8Array {
  const server = parseIpv4('10.77.0.1');
  const options: Options = new Map([
    [optionCodes.MESSAGE_TYPE, encodeValue.u8(messageTypes.DISCOVER)],
    [optionCodes.VENDOR_CLASS, encodeValue.text(vendorClass)],
    [optionCodes.ARCHITECTURE, encodeValue.u16(7)],
    [optionCodes.MACHINE_IDENTIFIER, Buffer.alloc(17)],
    [optionCodes.RELAY_AGENT, Buffer.from('\x01\x04eth0')],
    [optionCodes.CLIENT_IDENTIFIER, Buffer.from('01525400123456', 'hex')],
  ]);
  if (userClass !== '') options.set(optionCodes.USER_CLASS, encodeValue.text(userClass));
  const request: DhcpPacket = {
    ...{ operation: 1, hardwareType: 1, hops: 1, transaction: 7, seconds: 0, flags: 0x8000, serverName: '', file: '' },
    ...{ clientAddress: 0, yourAddress: 0, serverAddress: 0, relayAddress: server, options },
    hardwareAddress: Buffer.from('525400123456', 'hex'),
  };
  const subnet: Subnet = {
    ...{ network: server, mask: parseIpv4('255.255.0.0'), fixed: new Map(), reserve: 0, leaseSeconds: 60 },
    ...{ ranges: [[server + 1, server + 9]], routers: [server], nameServers: [server], domain: 'example.org' },
  };
  const planFor = (): BootPlan => ({
    ...{ fileName: 'ipxe.efi', serverAddress: server, rootPath: `nfs:10.77.0.1:/${'long/'.repeat(40)}` },
    ...{
      initiatorName: 'iqn.2024-01.org.example:machine',
      configurationFile: 'pxelinux.cfg/default',
      pathPrefix: '/a/',
    },
    pxe: {
      control: 7,
      servers: [{ type: 1, addresses: ['10.77.0.1'] }],
      menu: [{ type: 0, text: 'Local disk' }].concat({ type: 1, text: 'web' }),
      prompt: { seconds: 5, text: 'F8 for the menu' },
    },
  });
  const context = { server, planFor, isKnown: () => true, nowMs: 0, pools: [new AddressPool(subnet)] };
  const answer = mode === 'server' ? answerRequest(request, context) : answerAsProxy(request, 67, context);
  return encodePacket(answer.reply!.packet, 1500);
}

/** A capture file with one UDP packet from port 67 to 68. Source: the libpcap file format; link type 228 is IPv4. */
function captureOf(payload: Uint8Array): Uint8Array {
  const header = Buffer.alloc(24 + 16 + 28);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65_535, 16);
  header.writeUInt32LE(228, 20);
  for (const offset of [32, 36]) header.writeUInt32LE(28 + payload.length, offset);
  const ip = header.subarray(40);
  ip.set([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 77, 0, 1, 255, 255, 255, 255]);
  ip.writeUInt16BE(28 + payload.length, 2);
  for (const [value, offset] of [
    [67, 20],
    [68, 22],
    [8 + payload.length, 24],
  ] as const)
    ip.writeUInt16BE(value, offset);
  return Buffer.concat([header, payload]);
}

test('perfdhcp: leases are kept, none is given twice', async (t) => {
  const place = prepare(t, 'perfdhcp');
  if (place === undefined) return;
  const { cable, directory } = place;
  await cable.serve(t, directory, 'server');
  spawnSync('ip', ['-n', cable.client, 'address', 'add', '10.77.0.2/16', 'dev', 'cli']);
  const command = ['perfdhcp', '-4', '-r', '300', '-R', '1000', '-p', '3', '-l', '10.77.0.2', '10.77.0.1'];
  const { stdout } = await cable.inClient(...command).catch((error: { stdout: string }) => error);
  const received = [...stdout.matchAll(/received packets: (\d+)/g)].map(([, count]) => Number(count));
  t.diagnostic(`offers and acknowledgements received: ${received.join(', ')}`);
  assert.ok((received[1] ?? 0) > 100, stdout);
  const lines = readFileSync(join(directory, 'leases'), 'latin1')
    .split('\n')
    .filter((line) => line.includes('bound'));
  const addressOf = new Map(
    lines.map((line) => [/"identity":"([^"]+)"/.exec(line)?.[1], /"bound":(\d+)/.exec(line)?.[1]]),
  );
  assert.equal(new Set(addressOf.values()).size, addressOf.size);
});
