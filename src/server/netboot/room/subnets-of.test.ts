import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isVarveError } from '../../../base/varve-error.ts';
import { formatIpv4, parseIpv4 } from '../../../protocol/dhcp/ipv4.ts';
import type { Subnet } from '../../../protocol/dhcp/subnet.ts';
import { parseRoom } from './parse-room.ts';
import type { Room } from './room.ts';
import { roomOf } from './room-of.ts';
import { subnetsOf } from './subnets-of.ts';

const own = { address: parseIpv4('10.9.0.2'), prefix: 24 };

function rangesOf({ ranges }: Subnet): string[] {
  return ranges.map((range) => range.map(formatIpv4).join('-'));
}

function room(text: string): Room {
  return parseRoom(`entries: { web: { image: web, boot: nbd } }\n${text}`, 'room.yaml');
}

test("where a room names no network it is the interface's own, without our own address", () => {
  const [subnet] = subnetsOf(room(''), own);
  assert.deepEqual([subnet!.network, subnet!.mask].map(formatIpv4), ['10.9.0.0', '255.255.255.0']);
  assert.deepEqual(rangesOf(subnet!), ['10.9.0.1-10.9.0.1', '10.9.0.3-10.9.0.254']);
  assert.deepEqual(subnet!.nameServers.map(formatIpv4), ['10.9.0.2']);
  assert.deepEqual([subnet!.leaseSeconds, subnet!.reserve, subnet!.routers.length], [43_200, 0, 0]);
});

test('our own address is taken out of ranges, wherever it lies in them', () => {
  const ranges = (address: string) =>
    rangesOf(
      subnetsOf(room('range: [10.9.0.10-10.9.0.12, 10.9.0.20-10.9.0.20]'), { ...own, address: parseIpv4(address) })[0]!,
    );
  assert.deepEqual(ranges('10.9.0.10'), ['10.9.0.11-10.9.0.12', '10.9.0.20-10.9.0.20']);
  assert.deepEqual(ranges('10.9.0.12'), ['10.9.0.10-10.9.0.11', '10.9.0.20-10.9.0.20']);
  assert.deepEqual(ranges('10.9.0.20'), ['10.9.0.10-10.9.0.12']);
});

test('a range that is not of the own network is refused', () => {
  const given = roomOf({ image: 'web', range: ['10.8.0.1-10.8.0.9'] });
  assert.throws(
    () => subnetsOf(given, own),
    (error) => isVarveError(error, 'INVALID') && /10\.9\.0\.0\/24/.test(error.message),
  );
});

test('of a large network so many addresses are given out as can be kept in mind', () => {
  const [subnet] = subnetsOf(room(''), { address: parseIpv4('10.0.0.1'), prefix: 8 });
  assert.deepEqual(rangesOf(subnet!), ['10.254.255.255-10.255.255.254']);
});

test('machines have their addresses in the network that these are of', () => {
  const made = room(`
networks:
  - { network: 10.9.0.0/24, routers: 10.9.0.1, domain: lab }
  - { network: 10.8.0.0/24, nameServers: 9.9.9.9 }
machines:
  - { mac: 52:54:00:00:00:01, address: 10.8.0.7 }
`);
  const [first, second] = subnetsOf(made, own);
  assert.deepEqual([first!.fixed.size, second!.fixed.get('52:54:00:00:00:01')], [0, parseIpv4('10.8.0.7')]);
  assert.deepEqual(first!.nameServers.map(formatIpv4), ['10.9.0.1']);
  assert.deepEqual(second!.nameServers.map(formatIpv4), ['9.9.9.9']);
  assert.deepEqual([first!.domain, formatIpv4(second!.network)], ['lab', '10.8.0.0']);
});
