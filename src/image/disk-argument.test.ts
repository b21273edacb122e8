import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../test/store/temporary-store.ts';
import { diskArgument } from './disk-argument.ts';

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

test('an address is UNSUPPORTED, and is not repeated, as it may hold a password', () => {
  for (const address of [
    'nbd://host/web',
    'nbd+unix:///web?socket=s',
    'https://me:secret@host/web.raw',
    'S3://bucket/web',
  ]) {
    assert.throws(
      () => diskArgument(address),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'UNSUPPORTED');
        assert.match(error.message, /not supported yet/);
        assert.doesNotMatch(error.message, /secret|host|web\?/);
        return true;
      },
    );
  }
});
