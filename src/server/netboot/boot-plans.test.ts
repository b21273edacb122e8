import assert from 'node:assert/strict';
import { test } from 'node:test';
import { architectures } from '../../protocol/dhcp/architectures.ts';
import type { DhcpClient } from '../../protocol/dhcp/client.ts';
import { bootPlanFor, scriptlessEntry, silenceFor } from './boot-plans.ts';
import type { FoundLoaders } from './loaders/find-loaders.ts';
import { parseRoom } from './room/parse-room.ts';
import { settingsOf } from './room/settings-of.ts';
import { type ServerPlace, usualPorts } from './server-place.ts';

const mac = '52:54:00:12:34:56';
const place: ServerPlace = {
  ...{ interfaceName: 'eth1', address: '10.9.0.1', prefix: 24, hardwareAddress: '52:54:00:00:00:01' },
  ports: { ...usualPorts, http: 8080 },
};
const source = { open: () => undefined };
const loaders: FoundLoaders = {
  ...{ pxe: { bios: 'undionly.kpxe', 'efi-x64': 'snponly.efi' }, http: { 'efi-x64': 'ipxe.efi' } },
  ...{ files: new Map(), source },
};

function client(number: number, rest: Partial<DhcpClient> = {}): DhcpClient {
  const architecture = architectures.get(number);
  return {
    ...{ hardwareAddress: mac, identity: `hw:1:${mac}`, machine: undefined, wants: 'pxe', isIpxe: false },
    ...{ architectureNumber: number, architecture },
    ...rest,
  };
}

const settings = settingsOf(parseRoom('entries: { web: { image: web, boot: nbd } }', '/room.yaml'), { mac });

const plans = [
  ['BIOS', client(0), 'undionly.kpxe'],
  ['x64 EFI', client(7), 'snponly.efi'],
  ['x64 EFI over HTTP', client(16, { wants: 'http' }), 'http://10.9.0.1:8080/loader/ipxe.efi'],
  ['iPXE', client(0, { isIpxe: true }), 'http://10.9.0.1:8080/ipxe/52-54-00-12-34-56.ipxe'],
  ['ARM', client(11), undefined],
  ['a system', client(0, { wants: 'address' }), undefined],
] as const;

for (const [what, asker, fileName] of plans) {
  test(`${what} is told ${fileName ?? 'nothing'}`, () => {
    assert.equal(bootPlanFor(asker, settings, place, loaders)?.fileName, fileName);
    const isSilent = fileName === undefined && asker.wants !== 'address';
    assert.deepEqual(silenceFor(asker, loaders), isSilent ? { reason: 'noLoader' } : undefined);
  });
}

test('iPXE in the ROM of a machine gets PXELINUX where the room names that', () => {
  const named = { ...loaders, pxe: { bios: 'pxelinux.0' } };
  const plan = bootPlanFor(client(0, { isIpxe: true }), settings, place, named);
  assert.deepEqual(
    [plan?.fileName, plan?.configurationFile, plan?.pathPrefix],
    ['pxelinux.0', 'pxelinux.cfg/01-52-54-00-12-34-56', 'tftp://10.9.0.1/'],
  );
});

test('a machine without a script is told its disk, and nothing else', () => {
  const room = parseRoom('entries: { web: { image: web, boot: sanboot, script: no } }', '/room.yaml');
  const own = settingsOf(room, { mac });
  assert.equal(scriptlessEntry(own)?.name, 'web');
  const plan = bootPlanFor(client(0, { isIpxe: true }), own, place, loaders);
  assert.equal(plan?.fileName, '');
  assert.equal(plan?.rootPath, 'iscsi:10.9.0.1:::0:iqn.2026-11.internal.varve:52-54-00-12-34-56');
  assert.equal(bootPlanFor(client(0), own, place, loaders)?.fileName, 'undionly.kpxe');
});

test('a menu is a script', () => {
  const text = 'menu: { always: true }\nentries: { web: { image: web, boot: sanboot, script: no } }';
  const own = settingsOf(parseRoom(text, '/room.yaml'), { mac });
  assert.equal(scriptlessEntry(own), undefined);
});
