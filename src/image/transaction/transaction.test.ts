import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertClean, importDisk, readSnapshot, temporaryStore } from '../../../test/store/temporary-store.ts';
import { contentOf } from '../../conformance/device-content.ts';
import { rebuildCatalog } from '../../store/rebuild-catalog.ts';
import { openStore, type Store } from '../../store/store.ts';
import { openImageForWriting } from '../live-image.ts';
import { beginTransaction } from './begin-transaction.ts';
import { commitTransaction } from './end-transaction.ts';
import { listTransactions } from './list-transactions.ts';
import { openTransactionDisk } from './open-transaction-disk.ts';
import { dropDeadRuns, takeRunLease } from './run-lease.ts';
import { rollBackToSavepoint, setSavepoint } from './savepoints.ts';
import { newRunName } from './transaction-name.ts';

const size = 256 * 1024;

async function write(store: Store, transaction: string, image: string, byte: number): Promise<void> {
  await using disk = await openTransactionDisk(store, { image, transaction }, { purpose: 'a test' });
  await disk.device.write(new Uint8Array(4096).fill(byte), 0);
  await disk.device.flush();
}

async function firstByte(store: Store, transaction: string, image: string): Promise<number> {
  await using disk = await openTransactionDisk(store, { image, transaction }, { purpose: 'a test' });
  return (await contentOf(disk.device))[0]!;
}

async function newest(store: Store, image: string): Promise<number> {
  return (await readSnapshot(store, image))[0]!;
}

test('a transaction reads what was the newest when it began, however late and often its disks are opened', async () => {
  await using place = await temporaryStore();
  const { store } = place;
  for (const name of ['web', 'db']) await importDisk(store, name, new Uint8Array(size).fill(1));
  const transaction = await beginTransaction(store, ['web', 'db']);
  for (const name of ['web', 'db']) await importDisk(store, name, new Uint8Array(size).fill(2));
  for (const name of ['web', 'db', 'web', 'db']) assert.equal(await firstByte(store, transaction, name), 1);
  assert.deepEqual(
    listTransactions(store)[0]?.disks.map(({ baseNumber, hasMoved, image }) => [image, baseNumber, hasMoved]),
    [
      ['web', 1, true],
      ['db', 1, true],
    ],
  );
});

test('a transaction that changed nothing commits whatever others have done, and makes no snapshots', async () => {
  await using place = await temporaryStore();
  const { store } = place;
  await importDisk(store, 'web', new Uint8Array(size).fill(1));
  const transaction = await beginTransaction(store, ['web']);
  assert.equal(await firstByte(store, transaction, 'web'), 1);
  await importDisk(store, 'web', new Uint8Array(size).fill(2));
  assert.deepEqual(await commitTransaction(store, transaction), []);
  assert.deepEqual(listTransactions(store), []);
});

test('a transaction that changed one image is refused when another one, which it could read, has moved on', async () => {
  await using place = await temporaryStore();
  const { store } = place;
  for (const name of ['web', 'db']) await importDisk(store, name, new Uint8Array(size).fill(1));
  const [one, two] = [await beginTransaction(store, ['web', 'db']), await beginTransaction(store, ['web', 'db'])];
  await write(store, one, 'web', 0x41);
  await write(store, two, 'db', 0x42);
  assert.deepEqual(
    (await commitTransaction(store, one)).map(({ image, number }) => [image, number]),
    [['web', 2]],
  );
  await assert.rejects(commitTransaction(store, two), { code: 'CONFLICT', message: /web has moved on/ });
  assert.deepEqual([await newest(store, 'web'), await newest(store, 'db')], [0x41, 1]);
  assert.deepEqual(
    listTransactions(store).map(({ name }) => name),
    [two],
  );
});

test('one that was committed or rolled back cannot be opened or committed again', async () => {
  await using place = await temporaryStore();
  const { store } = place;
  await importDisk(store, 'web', new Uint8Array(size).fill(1));
  const transaction = await beginTransaction(store, ['web']);
  await write(store, transaction, 'web', 0x41);
  await commitTransaction(store, transaction);
  await assert.rejects(firstByte(store, transaction, 'web'), { code: 'NOT_FOUND' });
  await assert.rejects(commitTransaction(store, transaction), { code: 'NOT_FOUND' });
});

test('what runs of commands have left is dropped when they are dead, and nothing else is', async () => {
  await using place = await temporaryStore();
  const { store } = place;
  await importDisk(store, 'web', new Uint8Array(size).fill(1));
  using living = takeRunLease(store, 'web', 'a test');
  await beginTransaction(store, ['web'], living.name);
  await beginTransaction(store, ['web'], newRunName());
  const byHand = await beginTransaction(store, ['web']);
  dropDeadRuns(store);
  assert.deepEqual(new Set(listTransactions(store).map(({ name }) => name)), new Set([living.name, byHand]));
});

test('a transaction goes back to savepoints, with all its disks, also of a catalog that was made anew', async () => {
  await using place = await temporaryStore();
  for (const name of ['web', 'db']) await importDisk(place.store, name, new Uint8Array(size).fill(1));
  const transaction = await beginTransaction(place.store, ['web', 'db']);
  const fill = async (store: Store, byte: number): Promise<void> => {
    for (const name of ['web', 'db']) await write(store, transaction, name, byte);
  };
  await fill(place.store, 0x41);
  assert.equal(await setSavepoint(place.store, transaction), '1');
  await fill(place.store, 0x42);
  assert.equal(await setSavepoint(place.store, transaction, 'before'), 'before');
  await fill(place.store, 0x43);
  await assert.rejects(setSavepoint(place.store, transaction, 'before'), { code: 'EXISTS' });
  await assert.rejects(setSavepoint(place.store, transaction, 'a b'), { code: 'INVALID' });
  await place.store[Symbol.asyncDispose]();
  assert.deepEqual((await rebuildCatalog(place.path)).skipped, []);
  await using store = await openStore(place.path);
  assert.deepEqual(listTransactions(store)[0]?.savepoints, ['1', 'before']);
  await assertClean(store);
  await rollBackToSavepoint(store, transaction, 'before');
  assert.deepEqual(
    [await firstByte(store, transaction, 'web'), await firstByte(store, transaction, 'db')],
    [0x42, 0x42],
  );
  await rollBackToSavepoint(store, transaction, '1');
  assert.deepEqual(listTransactions(store)[0]?.savepoints, ['1']);
  await assert.rejects(rollBackToSavepoint(store, transaction, 'before'), { code: 'NOT_FOUND', message: /it has 1$/ });
  await commitTransaction(store, transaction);
  assert.deepEqual([await newest(store, 'web'), await newest(store, 'db')], [0x41, 0x41]);
  await assertClean(store);
});

test('savepoints are set and gone back to while the disks are open', async () => {
  await using place = await temporaryStore();
  const { store } = place;
  await importDisk(store, 'web', new Uint8Array(size).fill(1));
  const transaction = await beginTransaction(store, ['web']);
  {
    await using disk = await openImageForWriting(store, 'web', { owner: transaction });
    const open = new Map([['web', disk]]);
    await assert.rejects(setSavepoint(store, transaction), { code: 'BUSY' });
    await disk.device.write(new Uint8Array(10).fill(0x41), 0);
    await setSavepoint(store, transaction, undefined, open);
    await disk.device.write(new Uint8Array(20).fill(0x42), 0);
    await rollBackToSavepoint(store, transaction, '1', open);
    const content = await contentOf(disk.device);
    assert.deepEqual([...content.subarray(9, 11)], [0x41, 1]);
    await disk.device.write(new Uint8Array(1).fill(0x43), 1);
  }
  await commitTransaction(store, transaction);
  assert.deepEqual([...(await readSnapshot(store, 'web')).subarray(0, 11)], [0x41, 0x43, ...Array(8).fill(0x41), 1]);
});
