import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { broadcastsOf, wakeMachine } from './wake-machine.ts';

const address = (values: object) => ({ netmask: '255.255.255.0', family: 'IPv4', mac: '', internal: false, ...values });

test('a packet goes to everybody in each network of this machine, or in one', () => {
  const interfaces = {
    lo: [address({ address: '127.0.0.1', netmask: '255.0.0.0', internal: true })],
    eth0: [address({ address: '10.9.3.1', netmask: '255.255.252.0' }), address({ address: 'fe80::1', family: 'IPv6' })],
    eth1: [address({ address: '192.168.1.7' })],
    eth2: [],
  } as unknown as ReturnType<typeof networkInterfaces>;
  assert.deepEqual(
    broadcastsOf(interfaces, undefined).map(({ to }) => to),
    ['10.9.3.255', '192.168.1.255'],
  );
  assert.deepEqual(broadcastsOf(interfaces, 'eth0'), [{ from: '10.9.3.1', to: '10.9.3.255' }]);
  assert.throws(() => broadcastsOf(interfaces, 'eth2'), { code: 'NOT_FOUND', message: /eth2/ });
  assert.throws(() => broadcastsOf(interfaces, 'eth9'), { code: 'NOT_FOUND', message: /eth9/ });
  assert.throws(() => broadcastsOf({}, undefined), { code: 'NOT_FOUND' });
});

test('a machine is woken by its MAC sixteen times, and its password', async (t) => {
  const loopback = Object.keys(networkInterfaces()).find((name) => networkInterfaces()[name]?.[0]?.internal);
  if (loopback === undefined) return t.skip('there is no loopback interface');
  const socket = dgram.createSocket('udp4');
  t.after(() => socket.close());
  await new Promise<void>((resolve) => socket.bind(0, '0.0.0.0', resolve));
  const { port } = socket.address() as AddressInfo;
  const wake = async (password?: string): Promise<Buffer> => {
    const received = once(socket, 'message');
    await wakeMachine({ mac: '52:54:00:12:34:56', interface: loopback, port, password });
    return (await received)[0] as Buffer;
  };
  const packet = `${'ff'.repeat(6)}${'525400123456'.repeat(16)}`;
  assert.equal((await wake()).toString('hex'), packet);
  assert.equal((await wake('01:02:03:04:05:06')).toString('hex'), `${packet}010203040506`);
  assert.equal((await wake('1.2.3.4')).toString('hex'), `${packet}01020304`);
  await assert.rejects(wakeMachine({ mac: '52:54:00:12:34:56', password: 'secret' }), (error: Error) => {
    assert.doesNotMatch(error.message, /secret\b.*secret/);
    return /SecureOn/.test(error.message);
  });
});
