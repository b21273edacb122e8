import assert from 'node:assert/strict';
import fs, { type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../test/store/temporary-store.ts';
import { syncedFileTarget } from './synced-file-target.ts';

const mebibyte = 2 ** 20;

/** A file whose `datasync` is counted and may fail. */
async function watchedFile(folder: string, failing = false): Promise<{ file: FileHandle; syncCount(): number }> {
  const file = await fs.open(join(folder, 'x'), 'wx+');
  const datasync = file.datasync.bind(file);
  let count = 0;
  file.datasync = async () => {
    count += 1;
    if (failing && count === 1) throw Object.assign(new Error('EIO: lost'), { code: 'EIO' });
    await datasync();
  };
  return { file, syncCount: () => count };
}

test('what is written is synced on the way, and is what was written', async () => {
  await using folder = await temporaryFolder();
  const { file, syncCount } = await watchedFile(folder.path);
  await using _file = file;
  const target = syncedFileTarget(file, 'x');
  for (let index = 0; index < 100; index += 1) {
    await target.write(Buffer.alloc(mebibyte, index), index * mebibyte);
    if (index % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await target.finish(101 * mebibyte);
  assert.ok(syncCount() >= 1 && syncCount() <= 4, `${syncCount()} times`);
  const content = await fs.readFile(join(folder.path, 'x'));
  assert.equal(content.length, 101 * mebibyte);
  for (let index = 0; index < 100; index += 1) assert.equal(content[index * mebibyte + 5], index);
});

test('little is not synced', async () => {
  await using folder = await temporaryFolder();
  const { file, syncCount } = await watchedFile(folder.path);
  await using _file = file;
  const target = syncedFileTarget(file, 'x');
  await target.write(Buffer.alloc(mebibyte), 0);
  await target.finish(mebibyte);
  assert.equal(syncCount(), 0);
});

test('a write that is lost on the way fails in the end, even if all later ones are not', async () => {
  await using folder = await temporaryFolder();
  const { file } = await watchedFile(folder.path, true);
  await using _file = file;
  const target = syncedFileTarget(file, 'x');
  for (let index = 0; index < 70; index += 1) await target.write(Buffer.alloc(mebibyte), index * mebibyte);
  await assert.rejects(Promise.resolve(target.finish(70 * mebibyte)), {
    code: 'IO',
    message: 'cannot write x: input/output error',
  });
});
