import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { noiseDisk } from '../../../test/store/chunky-disk.ts';
import { assertClean, importDisk, temporaryStore } from '../../../test/store/temporary-store.ts';
import { collectGarbage } from '../../store/collect-garbage.ts';
import { listOverlayFiles } from '../../store/overlay/overlay-files.ts';
import { beginTransaction } from './begin-transaction.ts';
import { commitTransaction } from './end-transaction.ts';
import { openTransactionDisk } from './open-transaction-disk.ts';

test('a commit stands where files of its layers cannot be deleted, and garbage collection deletes them', async (t) => {
  await using place = await temporaryStore();
  const { store, path } = place;
  await importDisk(store, 'web', noiseDisk(4));
  await beginTransaction(store, ['web'], 'change');
  {
    await using disk = await openTransactionDisk(store, { image: 'web', transaction: 'change' }, { purpose: 'a test' });
    await disk.device.write(new Uint8Array(4096).fill(1), 0);
    await disk.device.flush();
  }
  const { mock } = t.mock.method(fs, 'rmSync', () => {
    throw Object.assign(new Error(', Unknown error: Input/output error'), { code: '', syscall: 'rm' });
  });
  await commitTransaction(store, 'change');
  assert.notEqual(mock.callCount(), 0);
  mock.restore();
  assert.equal(store.images.resolve('web').number, 2);
  assert.notEqual([...listOverlayFiles(path)].length, 0);
  await collectGarbage(store);
  assert.deepEqual([...listOverlayFiles(path)], []);
  await assertClean(store);
});
