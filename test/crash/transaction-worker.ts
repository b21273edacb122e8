import fs from 'node:fs';
import { isVarveError } from '../../src/base/varve-error.ts';
import { randomBelow, seededRandom } from '../../src/filter/seeded-random.ts';
import { beginTransaction } from '../../src/image/transaction/begin-transaction.ts';
import { commitTransaction, rollBackTransaction } from '../../src/image/transaction/end-transaction.ts';
import { openTransactionDisk } from '../../src/image/transaction/open-transaction-disk.ts';
import { dropDeadRuns, takeRunLease } from '../../src/image/transaction/run-lease.ts';
import { newTransactionName } from '../../src/image/transaction/transaction-name.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { stampedDisk, type TransactionReport, transactionImages } from './transaction-step.ts';

// The process that is killed: transaction-worker.ts PATH SEED STAMP. It loads what it needs, says so, waits for a byte on
// its standard input, and fills all images of the store in PATH with one stamp after the other, from STAMP on, each in a
// transaction, as `varve tx` has them and as `varve begin` has them. A line goes out before each step and after it is done.

const [path, seed, firstStamp] = process.argv.slice(2) as [string, string, string];

async function fill(store: Store, name: string, stamp: number): Promise<void> {
  for (const image of transactionImages) {
    await using disk = await openTransactionDisk(store, { image, transaction: name }, { purpose: 'a test' });
    await disk.device.write(stampedDisk(stamp), 0);
    await disk.device.flush();
  }
}

async function transact(store: Store, random: () => number, stamp: number): Promise<void> {
  dropDeadRuns(store);
  const isRun = randomBelow(random, 2) === 0;
  using lease = isRun ? takeRunLease(store, transactionImages[0]!, 'a test') : undefined;
  const name = lease?.name ?? newTransactionName();
  // Synchronous: what was said is with the parent, however soon the end comes.
  const say = (step: TransactionReport['step']): void =>
    void fs.writeSync(1, `${JSON.stringify({ stamp, name, step, ns: Number(process.hrtime.bigint()) })}\n`);
  say('begin');
  await beginTransaction(store, transactionImages, name);
  say('write');
  await fill(store, name, stamp);
  say('flushed');
  const turn = randomBelow(random, 8);
  if (turn < 6) {
    say('commit');
    await commitTransaction(store, name);
    say('committed');
  } else if (turn < 7 || isRun) {
    say('roll back');
    rollBackTransaction(store, name);
    say('rolled back');
  } else say('left');
}

async function work(random: () => number): Promise<void> {
  // It dies before it could close it.
  const store = await openStore(path);
  for (let stamp = Number(firstStamp); ; stamp += 1) await transact(store, random, stamp);
}

fs.writeSync(1, 'ready\n');
// Without a parent there is nobody to kill it.
if (fs.readSync(0, new Uint8Array(1)) === 0) process.exit();
await work(seededRandom(Number(seed))).catch((error) => {
  // Without power nothing goes on.
  let first = error;
  while (first instanceof SuppressedError) first = first.suppressed;
  if (!isVarveError(first)) throw error;
  fs.writeSync(1, `failed ${first.code}: ${first.message}\n`);
});
