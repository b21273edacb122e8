import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findNeighbour, neighbourAddress } from './neighbours.ts';

const table = `IP address       HW type     Flags       HW address            Mask     Device
10.9.0.50        0x1         0x2         52:54:00:12:34:56     *        eth1
10.9.0.5         0x1         0x0         00:00:00:00:00:00     *        eth1
10.9.0.7         0x1         0x6         52:54:00:AA:00:07     *        eth1
10.9.0.50        0x1         0x2         52:54:00:00:00:02     *        eth2
`;

test('hosts are found by address and interface, and only those whose address is known', () => {
  assert.equal(findNeighbour(table, '10.9.0.50', 'eth1'), '52:54:00:12:34:56');
  assert.equal(findNeighbour(table, '10.9.0.50', 'eth2'), '52:54:00:00:00:02');
  assert.equal(findNeighbour(table, '10.9.0.7', 'eth1'), '52:54:00:aa:00:07');
  assert.equal(findNeighbour(table, '10.9.0.5', 'eth1'), undefined);
  assert.equal(findNeighbour(table, '10.9.0.50', 'eth3'), undefined);
  assert.equal(findNeighbour('', '10.9.0.50', 'eth1'), undefined);
});

test('the table of this machine can be read', async () => {
  assert.equal(await neighbourAddress('255.255.255.255', 'lo'), undefined);
});
