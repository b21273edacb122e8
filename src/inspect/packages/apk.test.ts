import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { guestOf } from '../../../test/inspect/guest-root.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import type { InspectionWarning } from '../fact.ts';
import { installedPackages } from './installed-packages.ts';

const database = `C:Q1p78yvTLG094tHE1+dToJGbmYzQE=
P:musl
V:1.2.4_git20230717-r4
A:x86_64
S:407278
I:667648
T:the musl c library (libc) implementation
U:https://musl.libc.org/
L:MIT
o:musl
m:Timo Teräs <timo.teras@iki.fi>
t:1699267569
c:6b1f1a1b
p:so:libc.musl-x86_64.so.1=1
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1aB

P:libcrypto3
V:3.1.4-r1
A:x86_64
o:openssl

V:1
A:x86_64
`;

describe('apkPackages', { skip: skipWithout('mke2fs') }, () => {
  for (const path of ['lib/apk/db/installed', 'usr/lib/apk/db/installed']) {
    test(`takes the records of ${path}, and tells of one without a name`, async (t) => {
      const guest = await guestOf(t, { [path]: database });
      const warnings: InspectionWarning[] = [];
      const [openssl, musl, ...rest] = await installedPackages(guest.tree, (warning) => warnings.push(warning));
      assert.deepEqual(rest, []);
      assert.deepEqual(
        [openssl?.name, openssl?.sourcePackage, openssl?.size, openssl?.source.record],
        ['libcrypto3', 'openssl', undefined, 'line 20'],
      );
      assert.deepEqual(musl, {
        ...{
          format: 'apk',
          name: 'musl',
          fullVersion: '1.2.4_git20230717-r4',
          version: '1.2.4_git20230717',
          release: 'r4',
        },
        ...{ architecture: 'x86_64', size: 667648, sourcePackage: 'musl', sourceVersion: '1.2.4_git20230717-r4' },
        ...{ state: 'installed', summary: 'the musl c library (libc) implementation', url: 'https://musl.libc.org/' },
        ...{ license: 'MIT', vendor: 'Timo Teräs <timo.teras@iki.fi>' },
        source: { path: `/${path}`, record: 'line 1' },
      });
      assert.deepEqual(warnings, [
        { path: `/${path}`, message: `the record on line 25 of /${path} names no package and version` },
      ]);
    });
  }
});
