import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../test/store/temporary-store.ts';
import { makeOwnDirectory } from './own-directory.ts';

test('a directory beside a file is kept from others while its maker has it, and removed when that is dead', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'disk.raw');
  for (const name of ['.disk.raw.tx-DEAD01', '.disk.raw.tx-mine', '.disk.rawer.tx-DEAD01']) {
    await fs.mkdir(join(folder.path, name));
    await fs.writeFile(join(folder.path, name, 'disk.qcow2'), 'left');
  }
  const own = await makeOwnDirectory(file);
  await fs.writeFile(join(own.path, 'disk.qcow2'), 'new');
  const second = await makeOwnDirectory(file);
  assert.equal(await fs.readFile(join(own.path, 'disk.qcow2'), 'utf8'), 'new');
  await own[Symbol.asyncDispose]();
  await own[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
  assert.deepEqual((await fs.readdir(folder.path)).sort(), ['.disk.raw.tx-mine', '.disk.rawer.tx-DEAD01']);
});
