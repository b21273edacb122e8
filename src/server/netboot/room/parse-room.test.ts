import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../../../base/varve-error.ts';
import { formatIpv4 } from '../../../protocol/dhcp/ipv4.ts';
import { parseRoom, readRoom } from './parse-room.ts';

const whole = `interfaces: [eth1]
dhcp: server
networks:
  - network: 10.9.0.0/24
    range: 10.9.0.100-10.9.0.250
    routers: [10.9.0.1]
    nameServers: [10.9.0.1, 9.9.9.9]
    domain: lab
    leaseTime: 12h
    reserve: 50
loaders: { bios: ./undionly.kpxe }
menu: { timeout: 5s, default: web }
entries:
  web:
    image: web@3
    boot: nbd
    overlay: keep
    kernel: /boot/vmlinuz
    initramfs: /boot/initrd.img
    arguments: console=ttyS0
  installer:
    title: Debian's installer
    boot: kernel
    files: ./installer
    kernel: linux
    initramfs: initrd.gz
    template: { kind: preseed, file: ./preseed.cfg }
machines:
  - mac: 52:54:00:12:34:56
    name: alice
    address: 10.9.0.20
    entry: web
    overlay: ask
    variables: { role: desk }
  - mac: "52:54:00:*"
    entry: [web, installer]
  - uuid: 0A1B2C3D-0000-4000-8000-0123456789ab
    entry: installer
chap: { user: room, secretFile: ./secret }
secrets: { root: /etc/secret }
`;

test('a room says all that its file says', () => {
  const room = parseRoom(whole, '/lab/room.yaml');
  assert.deepEqual(room.interfaces, ['eth1']);
  assert.equal(room.dhcp, 'server');
  const [network] = room.networks;
  assert.deepEqual(network?.ranges[0]?.map(formatIpv4), ['10.9.0.100', '10.9.0.250']);
  assert.deepEqual([network?.leaseSeconds, network?.reserve, network?.domain], [43_200, 50, 'lab']);
  assert.deepEqual(room.loaders, { bios: '/lab/undionly.kpxe' });
  assert.deepEqual(room.menu, { timeoutMs: 5000, defaultEntry: 'web', always: false });
  const [web, installer] = room.entries.values();
  assert.deepEqual([web?.boot, web?.image, web?.overlay, web?.title], ['nbd', 'web@3', 'keep', 'web']);
  assert.deepEqual([installer?.files, installer?.title], ['/lab/installer', "Debian's installer"]);
  assert.deepEqual(installer?.template, { kind: 'preseed', file: '/lab/preseed.cfg' });
  assert.deepEqual(
    room.machines.map(({ mac, uuid, entries }) => [mac ?? uuid, ...entries]),
    [
      ['52:54:00:12:34:56', 'web'],
      ['52:54:00:*', 'web', 'installer'],
      ['0a1b2c3d-0000-4000-8000-0123456789ab', 'installer'],
    ],
  );
  assert.deepEqual([room.chap?.secretFile, room.secrets], ['/lab/secret', { root: '/etc/secret' }]);
});

test('what a room leaves out has a value', () => {
  const room = parseRoom('entries: { web: { image: web, boot: nbd } }', 'room.yaml');
  assert.deepEqual([room.dhcp, room.networks, room.machines, room.chap], ['auto', [], [], undefined]);
  assert.deepEqual(room.menu, { timeoutMs: 10_000, defaultEntry: undefined, always: false });
});

const web = 'entries: { web: { image: web, boot: nbd } }\n';
const problems: [name: string, text: string, message: RegExp][] = [
  [
    'a boot method',
    'entries:\n  web:\n    image: web\n    boot: nbdd',
    /^r:4: entries\.web\.boot is "nbdd"; it is one of nbd, iscsi, /,
  ],
  ['a key', `${web}machnes: []`, /^r:2: machnes is no key .*; is machines meant\?$/],
  ['a key that is like none', `${web}zzzzzzzz: []`, /^r:2: zzzzzzzz is no key .*; there are interfaces, /],
  ['a key twice', `${web}dhcp: off\ndhcp: auto`, /^r:3: dhcp stands there twice$/],
  ['no entries', 'dhcp: auto', /^r:1: there are no entries/],
  ['an empty file', '', /^r:1: it is empty/],
  ['a list', '[1]', /^r:1: it is empty, or no room/],
  ['YAML', 'entries: {', /^r:1: it cannot be read as YAML: /],
  ['an unquoted pattern', `${web}machines:\n  - mac: *`, /^r:3: it cannot be read as YAML: /],
  [
    'an image',
    'entries:\n  web: { image: we/b, boot: nbd }',
    /^r:2: entries\.web\.image is wrong: "we\/b" cannot name an image/,
  ],
  ['no image', 'entries:\n  web: { boot: nbd }', /^r:2: entries\.web needs an image for boot: nbd$/],
  ['no boot', 'entries:\n  web:\n    image: web', /^r:2: entries\.web does not say how to boot/],
  [
    'an overlay nobody writes to',
    'entries: { web: { boot: nfs, image: web, overlay: keep } }',
    /overlay has no use with boot: nfs/,
  ],
  ['a name', 'entries: { "a b": { boot: local } }', /"a b" cannot be a name/],
  ['the name of the own disk', 'entries: { local: { boot: local } }', /it is what the own disk is called/],
  [
    'an argument',
    `entries: { a: { boot: nbd, image: a, arguments: "x ${'$'}{net0/mac}" } }`,
    /"\$\{", which iPXE would replace/,
  ],
  ['a line', 'entries: { a: { boot: nbd, image: a, title: "x\\ny" } }', /such as an end of line/],
  [
    'the end of a command',
    'entries: { a: { boot: nbd, image: a, arguments: "x || y" } }',
    /at which iPXE would end the command/,
  ],
  ['an inner path', 'entries: { a: { boot: nbd, image: a, kernel: /../x, initramfs: y } }', /without "\.\."/],
  [
    'a network',
    `${web}networks: [{ network: 10.9.0.5/24 }]`,
    /10\.9\.0\.5\/24 is an address in the network 10\.9\.0\.0\/24/,
  ],
  [
    'networks over each other',
    `${web}networks: [{ network: 10.0.0.0/8 }, { network: 10.9.0.0/24 }]`,
    /overlaps with 10\.0\.0\.0\/8/,
  ],
  ['a range', `${web}networks: [{ network: 10.9.0.0/24, range: 10.9.1.1-10.9.1.9 }]`, /is not inside its network/],
  [
    'the address for all',
    `${web}networks: [{ network: 10.9.0.0/24, range: 10.9.0.9-10.9.0.255 }]`,
    /have 10\.9\.0\.1-10\.9\.0\.254/,
  ],
  ['ranges over each other', `${web}range: [10.9.0.1-10.9.0.9, 10.9.0.9-10.9.0.12]`, /overlaps with another range/],
  ['a reserve', `${web}networks: [{ network: 10.9.0.0/29, reserve: 7 }]`, /no whole number from 0 to 6/],
  ['a router', `${web}networks: [{ network: 10.9.0.0/24, routers: 10.8.0.1 }]`, /is not of the network/],
  ['a lease', `${web}networks: [{ network: 10.9.0.0/24, leaseTime: 5s }]`, /5s is not between 60 s/],
  ['a MAC address', `${web}machines: [{ mac: 52:54 }]`, /"52:54" is no MAC address/],
  [
    'a MAC address twice',
    `${web}machines:\n  - mac: 52:54:00:00:00:01\n  - mac: 52-54-00-00-00-01`,
    /^r:4: .* already another machine's MAC address in line 3$/,
  ],
  [
    'an address twice',
    `${web}machines: [{ mac: 52:54:00:00:00:01, address: 10.0.0.1 }, { mac: 52:54:00:00:00:02, address: 10.0.0.1 }]`,
    /is 10\.0\.0\.1, which is already another/,
  ],
  ['an address for many', `${web}machines: [{ mac: "*", address: 10.0.0.1 }]`, /is for one machine/],
  [
    'an address of no network',
    `${web}networks: [{ network: 10.9.0.0/24 }]\nmachines: [{ mac: 52:54:00:00:00:01, address: 10.0.0.1 }]`,
    /is of none of the networks/,
  ],
  ['a UUID', `${web}machines: [{ uuid: 12 }]`, /"12" is no UUID/],
  ['nobody', `${web}machines: [{ entry: web }]`, /needs a mac or a uuid/],
  ['an entry', `${web}machines: [{ mac: "*", entry: wob }]`, /is "wob", which is no entry; is web meant\?/],
  ['a default', `${web}menu: { default: wob }`, /is "wob", which is no entry/],
  ['a secret alone', `${web}chap: { secretFile: ./x }`, /needs both user and secretFile/],
  ['an interface', `${web}interfaces: [a/b]`, /is no name of a network interface/],
];

for (const [name, text, message] of problems) {
  test(`a room is refused for ${name}, with the line`, () => {
    assert.throws(
      () => parseRoom(text, 'r'),
      (error) => isVarveError(error, 'INVALID') && message.test(error.message) && /^r:\d+: /.test(error.message),
    );
  });
}

test('all that is wrong is said at once, by lines, and of more than ten how many', () => {
  const entries = Array.from({ length: 15 }, (_, index) => `  e${index}: { boot: no }`).join('\n');
  const message = messageOf(`entries:\n${entries}`);
  assert.equal(message.split('\n').length, 10);
  assert.match(message, /^r:2: .*\nr:3: /);
  assert.match(message, /… and 6 more$/);
});

test('aliases stand for what they name, and cannot make a small file large', () => {
  const room = parseRoom('entries:\n  a: &a { image: web, boot: nbd }\n  b: *a\n', 'r');
  assert.equal(room.entries.get('b')?.image, 'web');
  const bombs = Array.from({ length: 9 }, (_, index) => `x${index + 1}: &x${index + 1} [${`*x${index},`.repeat(9)}]`);
  assert.match(messageOf(['x0: &x0 [a]', ...bombs].join('\n')), /says more than 100000 things/);
  assert.match(messageOf('a: &a [*a]'), /nested more than 32 deep|cannot be read as YAML/);
  assert.match(messageOf('['.repeat(50_000)), /cannot be read as YAML|nested/);
  assert.match(messageOf(`a: ${'[1,'.repeat(400_000)}`), /at most 1 MiB/);
});

test('whatever a file holds, it is a room or there is a line for what is wrong', () => {
  const pieces = [
    'entries:',
    'web:',
    'boot: nbd',
    'image: web',
    '- mac: "*"',
    'machines:',
    '&a',
    '*a',
    '{',
    '}',
    '[',
    ']',
    '\n',
    '\n  ',
    '\n    ',
    ': ',
    '"',
    '|',
    '<<: ',
    '!!str ',
    '10.9.0.0/24',
    'networks:',
    '- network: ',
    '\t',
    '---\n',
    '%YAML 1.1\n',
  ];
  const text = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string())).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, (written) => {
      try {
        assert.ok(parseRoom(written, 'r').entries.size > 0);
      } catch (error) {
        if (!isVarveError(error, 'INVALID')) throw error;
        for (const line of error.message.split('\n')) assert.match(line, /^(r:\d+: |… and \d+ more$)/);
      }
    }),
    { numRuns: 500 },
  );
});

test('whatever replaces a value of a room, it is a room or there is a line for it', () => {
  const lines = whole.split('\n');
  fc.assert(
    fc.property(
      fc.nat(lines.length - 1),
      fc.oneof(fc.string(), fc.constantFrom('', '[]', '{}', '1', '~', '"\\0"')),
      (index, value) => {
        const changed = lines
          .with(
            index,
            lines[index]!.replace(/: .*$/, () => `: ${value}`),
          )
          .join('\n');
        try {
          parseRoom(changed, 'r');
        } catch (error) {
          if (!isVarveError(error, 'INVALID')) throw error;
          assert.match(error.message, /^r:\d+: /);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('a file that is not there is said to be', async () => {
  await assert.rejects(readRoom('/nowhere/room.yaml'), (error) => isVarveError(error, 'NOT_FOUND'));
});

function messageOf(text: string): string {
  try {
    parseRoom(text, 'r');
  } catch (error) {
    if (isVarveError(error, 'INVALID')) return error.message;
    throw error;
  }
  return assert.fail('it was taken for a room');
}
