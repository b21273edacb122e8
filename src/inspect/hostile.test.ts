import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { guestOf, type RootFile } from '../../test/inspect/guest-root.ts';
import { skipWithout } from '../../test/interop/require-tool.ts';
import { cycloneDxDocument } from './documents/cyclonedx.ts';
import { inspectionJson } from './documents/inspection-json.ts';
import { spdxDocument } from './documents/spdx.ts';
import { virtInspectorXml } from './documents/virt-inspector-xml.ts';
import { inspectGuest } from './inspect-guest.ts';

/** One file of each kind that is read. */
const paths = [
  ...[
    '/etc/os-release',
    '/etc/debian_version',
    '/etc/hostname',
    '/etc/machine-id',
    '/etc/localtime',
    '/etc/locale.conf',
  ],
  ...[
    '/etc/passwd',
    '/etc/shadow',
    '/etc/crontab',
    '/etc/cron.d/a',
    '/etc/inittab',
    '/etc/rc3.d/S20a',
    '/etc/resolv.conf',
  ],
  ...['/etc/systemd/system/a.wants/b.service', '/etc/systemd/system/b.service', '/usr/lib/systemd/system/c.timer'],
  ...['/usr/lib/systemd/system/timers.target.wants/c.timer', '/usr/lib/systemd/system-preset/a.preset'],
  ...[
    '/etc/network/interfaces',
    '/etc/systemd/network/a.network',
    '/etc/netplan/a.yaml',
    '/etc/sysconfig/network/ifcfg-a',
  ],
  ...['/etc/NetworkManager/system-connections/a.nmconnection', '/bin/sh', '/boot/vmlinuz-1', '/lib/modules/1/vmlinuz'],
  ...['/var/lib/dpkg/status', '/var/lib/dpkg/updates/0001', '/var/lib/dpkg/status.d/a', '/lib/apk/db/installed'],
  ...[
    '/var/lib/pacman/local/a/desc',
    '/var/lib/rpm/Packages.db',
    '/usr/lib/sysimage/rpm/Packages',
    '/root/.ssh/authorized_keys',
  ],
];

const words = [
  ...['Package: a\nVersion: 1\n\n', 'P:a\nV:1\n\n', '%NAME%\na\n\n%VERSION%\n1\n\n', 'root:x:0:0::/root:/bin/sh\n'],
  ...[
    '[Timer]\nOnCalendar=x\n',
    '[Match]\nName=*\n',
    'ID=debian\n',
    'enable *\n',
    '* * * * * root x\n',
    'S:3:initdefault:\n',
  ],
  ...[
    'RpmP\0\0\0\0\0\0\0\0\x01\0\0\0',
    '\x7fELF',
    '\0'.repeat(4096),
    '\\\n',
    '"',
    "'",
    '\n',
    ':',
    '=',
    '\u{1f600}',
    '\xff',
  ],
];
const text = fc.array(fc.oneof(fc.constantFrom(...words), fc.string({ unit: 'binary' })), { maxLength: 12 });
const file = fc.oneof(
  text.map((parts): RootFile => parts.join('')),
  fc.uint8Array({ maxLength: 600 }).map((bytes): RootFile => bytes),
  fc.constantFrom<RootFile>(
    { link: '/dev/null' },
    { link: '.' },
    { link: '../../../..' },
    { link: 'itself/../nothing' },
  ),
);

describe('inspectGuest', { skip: skipWithout('mke2fs') }, () => {
  test('has an answer for whatever stands in the files of a guest', async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...paths), file, { minKeys: 8 }), async (files) => {
        const guest = await guestOf(t, { '/etc/fstab': '', ...files });
        const inspection = await inspectGuest(guest);
        const origin = { name: 'x', time: 0, toolVersion: '1' };
        for (const make of [inspectionJson, cycloneDxDocument, spdxDocument]) {
          assert.ok(JSON.stringify(make(inspection, origin as never)).length > 2);
        }
        assert.ok(virtInspectorXml(inspection).length > 2);
      }),
      { numRuns: 12 },
    );
  });

  for (const [name, text] of [
    ['one long line', 'x'.repeat(900_000)],
    ['blanks', `a=${' '.repeat(900_000)}\rb`],
    ['blanks before a colon', `1 2 3 4 5 ${' \r'.repeat(450_000)}:`],
    ['marks', `a:${'!'.repeat(900_000)}x:::::`],
    ['a value many times', `[Unit]\n${'A=b\n'.repeat(200_000)}`],
    ['brackets', `[${'['.repeat(450_000)}${'<'.repeat(450_000)}`],
    ['many lines', '* * * * * a b\n'.repeat(60_000)],
    ['patterns', `enable ${'a*'.repeat(30)}b\n`.repeat(9000)],
  ] as const) {
    test(`does not take long for ${name}`, async (t) => {
      const files = Object.fromEntries(paths.map((path) => [path, text]));
      const guest = await guestOf(t, { ...files, '/etc/fstab': '' }, 96 * 2 ** 20);
      assert.ok(virtInspectorXml(await inspectGuest(guest)).length > 2);
    });
  }

  test('says once that there are too many files, and tells the rest', async (t) => {
    const links = Array.from(
      { length: 1100 },
      (_, index) => [`/etc/cron.d/l${index}`, { link: '/etc/crontab' }] as const,
    );
    const files = {
      ...Object.fromEntries(links),
      '/etc/crontab': '@daily root x\n',
      '/var/lib/dpkg/status': 'Package: a\nVersion: 1\n',
    };
    const { packages, timers, warnings } = await inspectGuest(await guestOf(t, files));
    assert.deepEqual([packages.length, timers.length], [1, 1001]);
    assert.deepEqual(
      warnings.map(({ message }) => message),
      ['there are more settings than any system has; the rest of them is not read'],
    );
  });

  test('has all of a large one', async (t) => {
    const lines = 'x\n '.repeat(500_000);
    const files = {
      '/etc/passwd': 'a:x:1:1::/:/bin/sh\n'.repeat(20_000),
      '/var/lib/dpkg/status': `Package: a\nVersion: 1\nDescription: ${lines}\n\nPackage: b\nVersion: 2\n`,
    };
    const { packages, users } = await inspectGuest(await guestOf(t, files, 96 * 2 ** 20));
    assert.deepEqual([packages.map(({ name }) => name), users.length], [['a', 'b'], 20_000]);
  });
});
