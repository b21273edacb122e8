import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dashedMac } from '../../../bytes/hardware-address.ts';
import { formatIpv4 } from '../../../protocol/dhcp/ipv4.ts';
import { parseRoom } from './parse-room.ts';
import { settingsOf } from './settings-of.ts';

const uuid = '0a1b2c3d-0000-4000-8000-0123456789ab';
const room = parseRoom(
  `
menu: { timeout: 3s }
entries:
  web: { image: web, boot: nbd, arguments: quiet }
  desk: { image: desk, boot: iscsi, overlay: keep }
  rescue: { image: rescue, boot: ram }
machines:
  - { mac: "52:54:00:aa:*", entry: [desk, web], name: row }
  - { mac: "52:54:*", entry: rescue }
  - { uuid: ${uuid}, entry: desk, overlay: ask }
  - { mac: 52:54:00:aa:00:01, entry: web, name: alice, address: 10.9.0.20, arguments: debug, variables: { role: desk } }
  - { mac: 52:54:00:aa:00:02, menu: true, entry: web }
`,
  'room.yaml',
);

const cases: [who: string, mac: string, uuid: string | undefined, expected: string][] = [
  [
    'its own address, though a pattern stands before it',
    '52:54:00:aa:00:01',
    undefined,
    'alice: web; default web; known',
  ],
  ['its own address, though the UUID is named, too', '52:54:00:AA:00:01', uuid, 'alice: web; default web; known'],
  ['an address with hyphens', '52-54-00-aa-00-01', undefined, 'alice: web; default web; known'],
  [
    'its UUID, though a pattern fits',
    '52:54:00:aa:00:09',
    uuid.toUpperCase(),
    '52-54-00-aa-00-09: desk; default desk; known',
  ],
  ['the first pattern that fits', '52:54:00:aa:00:09', undefined, 'row: desk web; default desk; menu'],
  ['a wider pattern', '52:54:00:bb:00:09', undefined, '52-54-00-bb-00-09: rescue; default rescue'],
  ['nothing', '02:00:00:00:00:01', undefined, '02-00-00-00-00-01: web desk rescue; default local; menu'],
  [
    'a menu though it has one entry',
    '52:54:00:aa:00:02',
    undefined,
    '52-54-00-aa-00-02: web; default web; menu; known',
  ],
];

for (const [who, mac, machineId, expected] of cases) {
  test(`a machine is what the room says of ${who}`, () => {
    const { defaultEntry, entries, hasMenu, isKnown, name } = settingsOf(room, { mac, uuid: machineId });
    const parts = [
      `${name}: ${entries.map((entry) => entry.name).join(' ')}`,
      `default ${defaultEntry?.name ?? 'local'}`,
    ];
    if (hasMenu) parts.push('menu');
    if (isKnown) parts.push('known');
    assert.equal(parts.join('; '), expected);
  });
}

test("a machine's own overlay policy and arguments go before and after those of its entries", () => {
  const alice = settingsOf(room, { mac: '52:54:00:aa:00:01' });
  assert.equal(alice.entries[0]?.arguments, 'quiet debug');
  assert.deepEqual(
    [formatIpv4(alice.address!), alice.variables, alice.menuTimeoutMs],
    ['10.9.0.20', { role: 'desk' }, 3000],
  );
  assert.equal(settingsOf(room, { mac: '02:00:00:00:00:01', uuid }).entries[0]?.overlay, 'ask');
  assert.equal(settingsOf(room, { mac: '02:00:00:00:00:01' }).entries[1]?.overlay, 'keep');
});

test('the default of the menu is taken where the machine has it, and local is its own disk', () => {
  const withDefault = (name: string, mac: string) => {
    const menu = { ...room.menu, defaultEntry: name };
    return settingsOf({ ...room, menu }, { mac }).defaultEntry?.name;
  };
  assert.equal(withDefault('web', '52:54:00:aa:00:09'), 'web');
  assert.equal(withDefault('rescue', '52:54:00:aa:00:09'), 'desk');
  assert.equal(withDefault('local', '52:54:00:aa:00:09'), undefined);
  assert.equal(withDefault('desk', '02:00:00:00:00:01'), 'desk');
});

test('a MAC address has hyphens and small letters in addresses of the web', () => {
  assert.equal(dashedMac('52:54:00:AA:00:01'), '52-54-00-aa-00-01');
});
