import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Workplace } from './varve.ts';

test('bad names, references and options end in one line with status 2', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  await place.addImage('web');
  const before = place.tree();
  const cases: [RegExp, ...string[]][] = [
    [/"\.\.\/etc" cannot name an image/, 'clone', 'web', '../etc'],
    [/"a\/b" cannot name an image/, 'rename', 'web', 'a/b'],
    [/"a\.\.b" cannot name an image/, 'clone', 'web', 'a..b'],
    [/cannot name an image/, 'clone', 'web', ''],
    [/at most 128 bytes/, 'clone', 'web', 'x'.repeat(129)],
    [/names no snapshot/, 'clone', 'web@', 'test'],
    [/names no snapshot/, 'log', 'web@{12}'],
    [/"12" cannot be a tag/, 'tag', 'web@1', '12'],
    [/which snapshot of web\?/, 'restore', 'web'],
    [/cannot remove the last snapshot of web; varve remove web removes the image/, 'remove', 'web@1', 'web@2'],
    [/what is to be kept/, 'prune', 'web'],
    [/cannot read "0" as a count/, 'prune', 'web', '--keep-last', '0'],
    [/names a snapshot; name an image/, 'prune', 'web@1', '--keep-last', '1'],
    [/both -m and -F/, 'snapshot', 'web', '-m', 'a', '-F', 'b'],
    [/which message\?/, 'describe', 'web'],
    [/cannot read "2025-02-30" as a time/, 'snapshot', 'web', '--date', '2025-02-30'],
    [/cannot read "yesterday" as a time/, 'snapshot', 'web', '--date', 'yesterday'],
    [/allowed choices are name, time, size/i, 'list', '--sort', 'age'],
    [/too many arguments: expected 2 arguments but got 3; see varve clone --help/, 'clone', 'web', 'a', 'b'],
    [/missing required argument 'new'/, 'clone', 'web'],
    [/unknown option '--taag'; did you mean --tag\?$/, 'snapshot', 'web', '--taag', 'x'],
    [/there is no command "snpashot"; did you mean snapshot\?/, 'snpashot', 'web'],
    [/there is no command "rm"; did you mean remove\?/, 'rm', 'web'],
    [/unknown option '--frob' before the command/, '--frob', 'list'],
  ];
  await Promise.all(cases.map(async ([message, ...args]) => assert.match(await place.fails(2, ...args), message)));
  assert.deepEqual(place.tree(), before);
});

test('what is not there has status 3, what is there already 4, and nothing is touched', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  await place.addImage('web', { chunks: [2] });
  await place.addImage('db');
  const before = place.tree();
  const cases: [number, RegExp, ...string[]][] = [
    [3, /no image nope; varve list shows/, 'clone', 'nope', 'test'],
    [3, /no snapshot web@7; varve log web shows/, 'clone', 'web@7', 'test'],
    [3, /no snapshot web@7/, 'restore', 'web@7'],
    [3, /no snapshot web@7/, 'remove', 'web@1', 'db', 'web@7'],
    [3, /no image nope/, 'remove', 'web', 'nope'],
    [3, /no snapshot web@nightly/, 'describe', 'web@nightly', '-m', 'x'],
    [3, /no snapshot web@\{abcdef\}/, 'tag', 'web@{abcdef}', 'x'],
    [3, /cannot read the message in notes: no such file/, 'snapshot', 'web', '-F', 'notes'],
    [4, /image db exists already/, 'clone', 'web', 'db'],
    [4, /image db exists already/, 'rename', 'web', 'db'],
  ];
  await Promise.all(
    cases.map(async ([status, message, ...args]) => assert.match(await place.fails(status, ...args), message)),
  );
  assert.deepEqual(place.tree(), before);
});

test('a tag that is taken or impossible makes no snapshot', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  await place.varve('tag', 'web', 'v1');
  const before = place.tree();
  assert.match(await place.fails(4, 'snapshot', 'web', '--tag', 'v1'), /web@v1 exists already/);
  assert.match(await place.fails(2, 'snapshot', 'web', '--tag', 'a b'), /cannot be a tag/);
  assert.deepEqual(place.tree(), before);
});

test('a message that is not UTF-8, or far too long, is refused', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  const before = place.tree();
  const latin1 = await place.run(['snapshot', 'web', '-F', '-'], { input: Buffer.from('caf\xe9', 'latin1') });
  assert.deepEqual(
    [latin1.status, latin1.stderr],
    [2, 'varve: cannot use the message in standard input: it is not UTF-8\n'],
  );
  const long = await place.run(['snapshot', 'web', '-F', '-'], { input: 'x'.repeat(1024 * 1024 + 1) });
  assert.equal(long.status, 2);
  assert.match(await place.fails(2, 'snapshot', 'web', '-F', '/dev/zero'), /over 1 MiB/);
  assert.deepEqual(place.tree(), before);
});

test('a store of a newer version, and what is no store, are left alone', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  const path = join(place.store, 'varve-store.json');
  const description = JSON.parse(fs.readFileSync(path, 'utf8'));
  fs.writeFileSync(path, JSON.stringify({ ...description, version: 99 }));
  const before = place.tree();
  assert.match(await place.fails(11, 'snapshot', 'web'), /version 99 needs a newer Varve/);
  assert.deepEqual(place.tree(), before);
  fs.writeFileSync(path, 'something else');
  assert.match(await place.fails(10, 'list'), /does not describe a Varve store/);
  assert.match(await place.fails(3, '--store', place.directory, 'log', 'web'), /there is no store in/);
});

test('a store on a read-only file system is read, and what would change it has status 7', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  try {
    execFileSync('mount', ['--bind', '-o', 'ro', place.store, place.store], { stdio: 'pipe' });
  } catch (error) {
    return t.skip(
      `a read-only bind mount cannot be made here: ${String((error as { stderr: unknown }).stderr).trim()}`,
    );
  }
  try {
    execFileSync('mount', ['-o', 'remount,ro,bind', place.store]);
    assert.match(await place.varve('list'), /\nweb /);
    assert.equal((await place.json('log', 'web')).length, 1);
    assert.match(await place.varve('diff', 'web', 'web'), /identical/);
    assert.match(await place.varve('status'), /\(read-only\)/);
    assert.match(await place.varve('verify'), /all is well/);
    const changes = [
      ['snapshot', 'web'],
      ['clone', 'web', 'test'],
      ['remove', 'web'],
      ['tag', 'web', 'v1'],
      ['describe', 'web', '-m', 'x'],
      ['rename', 'web', 'test'],
      ['gc'],
    ];
    for (const args of changes) assert.match(await place.fails(7, ...args), /cannot write to the store .*read-only/);
  } finally {
    execFileSync('umount', [place.store]);
  }
});
