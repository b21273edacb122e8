import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { guestOf, writeRoot } from '../../../test/inspect/guest-root.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import type { InspectionWarning } from '../fact.ts';
import { installedPackages } from './installed-packages.ts';

const gcc = `%NAME%
gcc

%VERSION%
1:13.2.1-5

%BASE%
gcc

%DESC%
The GNU Compiler Collection

%URL%
https://gcc.gnu.org

%ARCH%
x86_64

%BUILDDATE%
1700000000

%INSTALLDATE%
1700000100

%PACKAGER%
Somebody <somebody@archlinux.org>

%SIZE%
1000

%LICENSE%
GPL
LGPL

`;
const directory = 'var/lib/pacman/local';
const files = {
  [`${directory}/ALPM_DB_VERSION`]: '9\n',
  [`${directory}/gcc-1:13.2.1-5/desc`]: gcc,
  [`${directory}/gcc-1:13.2.1-5/files`]: '%FILES%\nusr/\n',
  [`${directory}/zlib-1.3-1/desc`]: '%NAME%\nzlib\n\n%VERSION%\n1.3-1\n\n%ARCH%\nx86_64\n\n',
};

describe('pacmanPackages', { skip: skipWithout('mke2fs') }, () => {
  test('takes what each package says of itself, and names those that say nothing', async (t) => {
    const guest = await guestOf(t, { ...files, [`${directory}/broken-1-1/desc`]: '%NAME%\n' });
    const warnings: InspectionWarning[] = [];
    const [first, second, ...rest] = await installedPackages(guest.tree, (warning) => warnings.push(warning));
    assert.deepEqual([second?.name, second?.fullVersion, rest], ['zlib', '1.3-1', []]);
    assert.deepEqual(first, {
      ...{ format: 'pacman', name: 'gcc', fullVersion: '1:13.2.1-5', epoch: 1, version: '13.2.1', release: '5' },
      ...{ architecture: 'x86_64', size: 1000, installed: 1_700_000_100, state: 'installed', sourcePackage: 'gcc' },
      ...{ sourceVersion: '1:13.2.1-5', summary: 'The GNU Compiler Collection', url: 'https://gcc.gnu.org' },
      ...{ license: 'GPL AND LGPL', vendor: 'Somebody <somebody@archlinux.org>' },
      source: { path: `/${directory}/gcc-1:13.2.1-5/desc` },
    });
    const path = `/${directory}/broken-1-1/desc`;
    assert.deepEqual(warnings, [{ path, message: `${path} names no package and version` }]);
  });
});

describe('pacmanPackages beside pacman', { skip: skipWithout('mke2fs', 'pacman') }, () => {
  test('has the packages that pacman -Q lists', async (t) => {
    const root = fs.mkdtempSync(join(tmpdir(), 'varve-'));
    t.after(() => fs.rmSync(root, { recursive: true, force: true }));
    writeRoot(root, files);
    const args = ['--root', root, '--dbpath', join(root, 'var/lib/pacman'), '-Q'];
    const theirs = execFileSync('pacman', args, { encoding: 'utf8' }).trim().split('\n');
    const guest = await guestOf(t, files);
    const ours = await installedPackages(guest.tree);
    assert.deepEqual(
      ours.map(({ fullVersion, name }) => `${name} ${fullVersion}`),
      theirs,
    );
  });
});
