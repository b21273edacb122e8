import fs from 'node:fs';
import { join } from 'node:path';
import { isVarveError } from '../../src/base/varve-error.ts';
import { FileTransaction } from '../../src/image/transaction/file-transaction.ts';
import { stampedDisk } from './transaction-step.ts';

// The process that is killed: files-worker.ts DIRECTORY STAMP FILE…. It loads what it needs, says so, waits for a byte on its
// standard input, and fills all files with one stamp after the other, from STAMP on, each in a transaction. A line goes out
// before each commit and after it is done: the stamp, with a minus before the commit, and the time in nanoseconds.

const [directory, firstStamp, ...names] = process.argv.slice(2) as [string, string, ...string[]];
const paths = names.map((name) => join(directory, name));

function say(stamp: number): void {
  fs.writeSync(1, `${stamp} ${process.hrtime.bigint()}\n`);
}

async function fill(stamp: number): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const transactions: FileTransaction[] = [];
  for (const path of paths) transactions.push(stack.use(await FileTransaction.begin(path, {})));
  for (const { device } of transactions) await device.write(stampedDisk(stamp), 0);
  say(-stamp);
  await FileTransaction.commitAll(transactions, {});
  say(stamp);
}

async function work(): Promise<void> {
  for (let stamp = Number(firstStamp); ; stamp += 1) await fill(stamp);
}

fs.writeSync(1, 'ready\n');
// Without a parent there is nobody to kill it.
if (fs.readSync(0, new Uint8Array(1)) === 0) process.exit();
await work().catch((error) => {
  // Without power nothing goes on.
  let first = error;
  while (first instanceof SuppressedError) first = first.suppressed;
  if (!isVarveError(first, 'IO') && !(first instanceof Error && 'syscall' in first)) throw error;
});
