import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { guestOf } from '../../../test/inspect/guest-root.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import type { InspectionWarning } from '../fact.ts';
import { installedPackages } from './installed-packages.ts';

const record = (name: string, version: string, ...lines: string[]) =>
  `Package: ${name}\nStatus: install ok installed\nVersion: ${version}\nArchitecture: amd64\n${lines.map((line) => `${line}\n`).join('')}\n`;

describe('dpkgPackages', { skip: skipWithout('mke2fs') }, () => {
  test('takes status, what was not merged into it, and the records of images without dpkg', async (t) => {
    const status = [
      record(
        'a',
        '1:2.0-3',
        'Installed-Size: 10',
        'Source: aa (2.0-3)',
        'Description: one\n more',
        'Homepage: http://a',
      ),
      record('b', '1'),
      record('c', '1'),
      record('d', '1', 'Multi-Arch: same'),
      record('d', '1', 'Multi-Arch: same').replace('amd64', 'i386'),
      'Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n\n',
      'Package: half\nStatus: install reinstreq half-installed\nVersion: 3\nArchitecture: all\n\n',
      'Package: never\nStatus: unknown ok not-installed\nArchitecture: all\n',
    ];
    const guest = await guestOf(t, {
      'var/lib/dpkg/status': status.join(''),
      'var/lib/dpkg/updates/0001': record('b', '2'),
      'var/lib/dpkg/updates/0002': `Package: c\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n`,
      'var/lib/dpkg/updates/tmp.i': record('b', '3'),
      'var/lib/dpkg/status.d/tz': 'Package: tz\nVersion: 5-6\nArchitecture: all\n',
      'var/lib/dpkg/status.d/tz.md5sums': 'no record\n',
    });
    const packages = await installedPackages(guest.tree);
    assert.deepEqual(
      packages.map(({ name, fullVersion, state }) => [name, fullVersion, state]),
      [
        ['a', '1:2.0-3', 'installed'],
        ['b', '2', 'installed'],
        ['c', '2', 'installed'],
        ['d', '1', 'installed'],
        ['d', '1', 'installed'],
        ['half', '3', 'half-installed'],
        ['tz', '5-6', 'installed'],
      ],
    );
    const { epoch, version, release, size, sourcePackage, sourceVersion, summary, description, url, source } =
      packages[0]!;
    assert.deepEqual([epoch, version, release], [1, '2.0', '3']);
    assert.deepEqual([size, sourcePackage, sourceVersion], [10240, 'aa', '2.0-3']);
    assert.deepEqual([summary, description, url], ['one', 'more', 'http://a']);
    assert.deepEqual(source, { path: '/var/lib/dpkg/status', record: 'line 1' });
    assert.equal(packages[1]?.source.path, '/var/lib/dpkg/updates/0001');
  });

  test('keeps the records beside a broken one, and tells of it', async (t) => {
    const status = `${record('a', '1')}Version: 1\nArchitecture: all\n\n${record('b', '2')}`;
    const guest = await guestOf(t, { 'var/lib/dpkg/status': status });
    const warnings: InspectionWarning[] = [];
    const packages = await installedPackages(guest.tree, (warning) => warnings.push(warning));
    assert.deepEqual(
      packages.map(({ name }) => name),
      ['a', 'b'],
    );
    assert.deepEqual(warnings, [
      { path: '/var/lib/dpkg/status', message: 'the record on line 6 of /var/lib/dpkg/status names no package' },
    ]);
  });
});

describe('dpkgPackages beside dpkg-query', { skip: skipWithout('mke2fs', 'dpkg-query') }, () => {
  test('says of the packages of this machine exactly what dpkg-query says', async (t) => {
    const guest = await guestOf(
      t,
      (directory) => {
        const own = '/var/lib/dpkg';
        const copy = join(directory, own);
        fs.mkdirSync(join(copy, 'info'), { recursive: true });
        fs.copyFileSync(join(own, 'status'), join(copy, 'status'));
        // Times of whole seconds: mke2fs keeps no others.
        for (const name of fs.readdirSync(join(own, 'info')).filter((each) => each.endsWith('.list'))) {
          const { mtimeMs } = fs.statSync(join(own, 'info', name));
          fs.writeFileSync(join(copy, 'info', name), '');
          fs.utimesSync(join(copy, 'info', name), Math.floor(mtimeMs / 1000), Math.floor(mtimeMs / 1000));
        }
      },
      128 * 2 ** 20,
    );
    const packages = await installedPackages(guest.tree);
    const format = [
      ...['Package', 'Version', 'Architecture', 'db:Status-Status', 'source:Package', 'source:Version'],
      ...['Installed-Size', 'db-fsys:Last-Modified', 'Homepage', 'Maintainer', 'binary:Synopsis'],
    ];
    const printed = execFileSync('dpkg-query', ['-W', '-f', `${format.map((each) => `\${${each}}`).join('|')}\\n`], {
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    });
    const theirs = printed
      .split('\n')
      .filter((line) => line !== '' && !/\|(?:not-installed|config-files)\|/.test(line));
    const ours = packages.map((each) =>
      [
        ...[each.name, each.fullVersion, each.architecture, each.state, each.sourcePackage, each.sourceVersion],
        ...[each.size === undefined ? '' : each.size / 1024, each.installed ?? '', each.url ?? ''],
        ...[each.vendor ?? '', each.summary ?? ''],
      ].join('|'),
    );
    assert.ok(ours.length > 50);
    assert.deepEqual([...new Set(ours).difference(new Set(theirs))], []);
    assert.deepEqual([...new Set(theirs).difference(new Set(ours))], []);
  });
});
