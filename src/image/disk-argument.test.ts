import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../test/store/temporary-store.ts';
import { diskArgument, localDiskArgument } from './disk-argument.ts';

test('what has a slash is a file, there or not, and what has none is in the store', () => {
  for (const path of ['./web', '/dev/sdb', 'images/web@3.raw', '../web.qcow2']) {
    assert.deepEqual(diskArgument(path), { kind: 'file', path });
  }
  for (const reference of ['web', 'web@3', 'web@{abcd}', 'web.qcow2', 'debian-12.5', '-']) {
    assert.deepEqual(diskArgument(reference), { kind: 'snapshot', reference });
  }
});

test('a name with an extension is a file where there is one, and a name without is not', async (t) => {
  await using folder = await temporaryFolder();
  for (const name of ['web.qcow2', 'debian-12.5', 'web']) await writeFile(join(folder.path, name), '');
  const before = process.cwd();
  process.chdir(folder.path);
  t.after(() => process.chdir(before));
  assert.equal(diskArgument('web.qcow2').kind, 'file');
  assert.equal(diskArgument('debian-12.5').kind, 'file');
  assert.equal(diskArgument('web').kind, 'snapshot');
});

test('an address is one, and what commands about files and images refuse', () => {
  const cases: [argument: string, label: string, name: string][] = [
    ['nbd://host', 'nbd://host/', 'host'],
    ['NBD://host:10810/a/web', 'nbd://host:10810/a/web', 'web'],
    ['nbds://me@[::1]/web', 'nbds://[::1]/web', 'web'],
    ['nbd+unix:///?socket=/run/my.sock', 'nbd+unix:///?socket=/run/my.sock', 'my.sock'],
    ['https://me:secret@host/a/my%20disk.raw?key=secret#secret', 'https://host/a/my%20disk.raw?…', 'my disk.raw'],
    ['http://host:8080/', 'http://host:8080/', 'host'],
  ];
  for (const [argument, label, name] of cases) {
    const disk = diskArgument(argument);
    assert.ok(disk.kind === 'address');
    assert.deepEqual([disk.address.label, disk.address.name], [label, name]);
    assert.throws(() => localDiskArgument(argument), { code: 'INVALID', message: /others serve/ });
  }
});

test('an address of another kind is UNSUPPORTED, one that cannot be INVALID, and neither is repeated', () => {
  const cases = [
    ['S3://key:secret@bucket/web', 'UNSUPPORTED'],
    ['ftp://me:secret@host/web', 'UNSUPPORTED'],
    ['nbd://me:secret@host/web', 'INVALID'],
    ['https://me:secret@host:99999/web.raw', 'INVALID'],
    ['https://me:%zzsecret@host/web.raw', 'INVALID'],
  ] as const;
  for (const [argument, code] of cases) {
    assert.throws(
      () => diskArgument(argument),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, code);
        assert.doesNotMatch(error.message, /secret|host/);
        return true;
      },
    );
  }
});
