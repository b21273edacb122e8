import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import type { InspectionWarning } from '../../src/inspect/fact.ts';
import type { InstalledPackage } from '../../src/inspect/packages/installed-package.ts';
import { installedPackages } from '../../src/inspect/packages/installed-packages.ts';
import { guestOf } from '../inspect/guest-root.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('mke2fs', 'rpm', 'rpmbuild');
const format =
  '%{DBINSTANCE}|%{NAME}|%{EPOCH}|%{VERSION}|%{RELEASE}|%{ARCH}|%{SIZE}|%{INSTALLTIME}|%{SOURCERPM}|%{SUMMARY}|%{URL}|%{LICENSE}|%{VENDOR}|%{DESCRIPTION}';

/** A package's specification; the second one has an epoch, the third says no more than it must. */
function specification(number: number): string {
  return `Name: sample-${number}
Version: 1.${number}~rc1
Release: ${number}
${number === 2 ? 'Epoch: 3' : ''}
Summary: Sample number ${number}
License: MIT and ${number}
${number === 3 ? '' : 'URL: https://example.org/\nVendor: Exämples'}
BuildArch: noarch
%description
The sample
number ${number}.
%install
mkdir -p %{buildroot}/s${number}
head -c ${number * 5000} /dev/zero > %{buildroot}/s${number}/data
%files
/s${number}/data
`;
}

function asRpmPrints(each: InstalledPackage): string {
  const { architecture = '(none)', description, epoch, installed, license, name, release, size, source } = each;
  const { summary, sourcePackage, sourceVersion, url = '(none)', vendor = '(none)', version } = each;
  const number = source.record?.replace('header ', '');
  return [
    ...[number, name, epoch ?? '(none)', version, release, architecture, size, installed],
    ...[`${sourcePackage}-${sourceVersion}.src.rpm`, summary, url, license, vendor, description],
  ].join('|');
}

describe("rpm's databases beside rpm", { skip }, () => {
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  const at = (...names: string[]) => join(directory, ...names);
  const query = (path: string, ...options: string[]): string[] => {
    const args = [...options, '--dbpath', path, '-qa', '--qf', `${format}\x1e`];
    return execFileSync('rpm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
      .split('\x1e')
      .slice(0, -1);
  };

  before(() => {
    for (const number of [1, 2, 3]) {
      fs.writeFileSync(at('package.spec'), specification(number));
      const defined = ['--define', `_topdir ${at('top')}`];
      execFileSync('rpmbuild', ['--quiet', ...defined, '-bb', at('package.spec')], { stdio: 'pipe' });
    }
    fs.mkdirSync(at('sqlite'));
    const built = fs.readdirSync(at('top/RPMS/noarch')).map((name) => at('top/RPMS/noarch', name));
    execFileSync('rpm', ['--dbpath', at('sqlite'), '--justdb', '--nodeps', '-i', ...built], { stdio: 'pipe' });
  });
  after(() => fs.rmSync(directory, { recursive: true, force: true }));

  test('SQLite: what rpm -qa says is what is found', async (t) => {
    const guest = await guestOf(t, { 'var/lib/rpm/rpmdb.sqlite': fs.readFileSync(at('sqlite/rpmdb.sqlite')) });
    const theirs = query(at('sqlite'));
    assert.equal(theirs.length, 3);
    assert.deepEqual((await installedPackages(guest.tree)).map(asRpmPrints).toSorted(), theirs.toSorted());
  });

  test('SQLite: changes that are only in its log count', async (t) => {
    fs.cpSync(at('sqlite'), at('live'), { recursive: true });
    using database = new DatabaseSync(at('live/rpmdb.sqlite'));
    database.exec(
      'PRAGMA foreign_keys = off; PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0; DELETE FROM Packages WHERE hnum = 2',
    );
    const log = fs.readFileSync(at('live/rpmdb.sqlite-wal'));
    assert.ok(log.length > 0);
    const guest = await guestOf(t, {
      'usr/lib/sysimage/rpm/rpmdb.sqlite': fs.readFileSync(at('live/rpmdb.sqlite')),
      'usr/lib/sysimage/rpm/rpmdb.sqlite-wal': log,
    });
    const records = (await installedPackages(guest.tree)).map(({ source }) => source.record);
    assert.deepEqual(records.toSorted(), ['header 1', 'header 3']);
  });

  test('SQLite: a view in the place of the table is not asked', async (t) => {
    using database = new DatabaseSync(at('view.sqlite'));
    database.exec(`CREATE VIEW Packages AS WITH RECURSIVE n(hnum, blob) AS
      (SELECT 1, x'00' UNION ALL SELECT hnum + 1, blob FROM n) SELECT * FROM n`);
    const guest = await guestOf(t, { 'var/lib/rpm/rpmdb.sqlite': fs.readFileSync(at('view.sqlite')) });
    const warnings: InspectionWarning[] = [];
    assert.deepEqual(await installedPackages(guest.tree, (warning) => warnings.push(warning)), []);
    assert.deepEqual(
      warnings.map(({ message }) => message),
      ['/var/lib/rpm/rpmdb.sqlite has no table of packages'],
    );
  });

  test('SQLite: what is no database is named, and loses nothing else', async (t) => {
    const guest = await guestOf(t, {
      'var/lib/rpm/rpmdb.sqlite': Buffer.from('SQLite format 3\0'.padEnd(8192, 'x'), 'latin1'),
      'var/lib/dpkg/status': 'Package: a\nVersion: 1\n',
    });
    const warnings: InspectionWarning[] = [];
    const found = await installedPackages(guest.tree, (warning) => warnings.push(warning));
    assert.deepEqual(
      found.map(({ name }) => name),
      ['a'],
    );
    assert.match(warnings[0]!.message, /^cannot read \/var\/lib\/rpm\/rpmdb\.sqlite: /);
  });

  for (const [order, lorder] of [
    ['little', 1234],
    ['big', 4321],
  ] as const) {
    test(`Berkeley DB: what rpm -qa says is what is found, ${order}-endian`, async (t) => {
      if (skipWithout('db5.3_load') !== false) return t.skip('db5.3_load is not installed');
      const path = at(`berkeley-${order}`);
      fs.mkdirSync(path);
      execFileSync('db5.3_load', [join(path, 'Packages')], { input: dumpOf(at('sqlite/rpmdb.sqlite'), lorder) });
      const guest = await guestOf(t, { 'var/lib/rpm/Packages': fs.readFileSync(join(path, 'Packages')) });
      // rpm reads its own machine's order alone.
      const theirs = order === 'little' ? query(path, '--define', '_db_backend bdb_ro') : query(at('sqlite'));
      assert.equal(theirs.length, 3);
      assert.deepEqual((await installedPackages(guest.tree)).map(asRpmPrints).toSorted(), theirs.toSorted());
    });
  }
});

/** The headers of a database as db_load takes them. */
function dumpOf(path: string, order: 1234 | 4321): string {
  using database = new DatabaseSync(path);
  const rows = database.prepare('SELECT hnum, blob FROM Packages').all();
  const key = (number: number) => {
    const bytes = Buffer.alloc(4);
    if (order === 1234) bytes.writeUInt32LE(number);
    else bytes.writeUInt32BE(number);
    return ` ${bytes.toString('hex')}`;
  };
  const items = rows.flatMap(({ hnum, blob }) => [
    key(Number(hnum)),
    ` ${Buffer.from(blob as Uint8Array).toString('hex')}`,
  ]);
  const header = ['VERSION=3', 'format=bytevalue', 'type=hash', `db_lorder=${order}`, 'db_pagesize=512', 'HEADER=END'];
  return `${[...header, key(0), key(rows.length), ...items, 'DATA=END'].join('\n')}\n`;
}
