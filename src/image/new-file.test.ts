import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../test/store/temporary-store.ts';
import { writeNewFile } from './new-file.ts';

async function hello(file: fs.promises.FileHandle): Promise<void> {
  await file.write('hello');
}

test('a file is there whole, and nothing is beside it', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'web.raw');
  await writeNewFile(path, { force: false }, async (file) => {
    assert.equal(fs.existsSync(path), false);
    await hello(file);
  });
  assert.equal(fs.readFileSync(path, 'utf8'), 'hello');
  assert.deepEqual(fs.readdirSync(folder.path), ['web.raw']);
});

test('where writing fails, what was there stays and nothing else does', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'web.raw');
  const failing = async (file: fs.promises.FileHandle) => {
    await hello(file);
    throw new Error('no more');
  };
  await assert.rejects(writeNewFile(path, { force: false }, failing), { message: 'no more' });
  assert.deepEqual(fs.readdirSync(folder.path), []);
  fs.writeFileSync(path, 'before');
  await assert.rejects(writeNewFile(path, { force: true }, failing), { message: 'no more' });
  assert.deepEqual(fs.readdirSync(folder.path), ['web.raw']);
  assert.equal(fs.readFileSync(path, 'utf8'), 'before');
});

test('a file that is there is EXISTS, also when it came meanwhile, and force replaces it', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'web.raw');
  const raced = async () => fs.writeFileSync(path, 'theirs');
  const exists = { code: 'EXISTS', message: /web\.raw: it exists already; give --force/ };
  await assert.rejects(writeNewFile(path, { force: false }, raced), exists);
  await assert.rejects(writeNewFile(path, { force: false }, hello), exists);
  assert.equal(fs.readFileSync(path, 'utf8'), 'theirs');
  await writeNewFile(path, { force: true }, hello);
  assert.equal(fs.readFileSync(path, 'utf8'), 'hello');
  assert.deepEqual(fs.readdirSync(folder.path), ['web.raw']);
});

test('a file that is replaced passes its permissions on, and a link stays one', async () => {
  await using folder = await temporaryFolder();
  const [path, link] = [join(folder.path, 'web.raw'), join(folder.path, 'link.raw')];
  fs.writeFileSync(path, 'before', { mode: 0o600 });
  fs.symlinkSync('web.raw', link);
  await writeNewFile(link, { force: true }, hello);
  assert.equal(fs.readlinkSync(link), 'web.raw');
  assert.equal(fs.readFileSync(path, 'utf8'), 'hello');
  assert.equal(fs.statSync(path).mode & 0o7777, 0o600);
});

test('a directory that is not there is NOT_FOUND by the name of the file', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'nowhere/web.raw');
  const missing = { code: 'NOT_FOUND', message: `cannot write ${path}: no such file or directory` };
  await assert.rejects(writeNewFile(path, { force: false }, hello), missing);
});

test('a name as long as names may be can be written', async () => {
  await using folder = await temporaryFolder();
  const name = 'x'.repeat(255);
  await writeNewFile(join(folder.path, name), { force: false }, hello);
  assert.deepEqual(fs.readdirSync(folder.path), [name]);
});
