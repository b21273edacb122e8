import fs from 'node:fs';
import { type ErrorCode, isVarveError } from '../../src/base/varve-error.ts';
import { seededRandom } from '../../src/filter/seeded-random.ts';
import { openStore } from '../../src/store/store.ts';
import type { Operation, Report } from './operation.ts';
import { perform } from './perform.ts';
import { randomOperation } from './random-operation.ts';

// The process that is killed: worker.ts PATH SEED KIND. It loads what it needs, says so, waits for a byte on its
// standard input, and then does one thing after the other to the store in PATH until it dies: anything, or only
// garbage collection where KIND is `collect`. A line goes out before each operation and after it has returned. One
// that fails is the last, unless somebody else was in the way; where KIND is `together` somebody may be everywhere.

const [path, seed, kind] = process.argv.slice(2) as [string, string, string];

function say(report: Report): void {
  // Synchronous: what was said is with the parent, however soon the end comes.
  fs.writeSync(1, `${JSON.stringify(report)}\n`);
}

async function attempt(act: () => Promise<void>): Promise<boolean> {
  try {
    await act();
    say({ doneNs: Number(process.hrtime.bigint()) });
    return true;
  } catch (error) {
    return sayFailure(error);
  }
}

/** Others take images away, change them first, choose the same name, or leave a snapshot that is the last (INVALID). */
const othersInTheWay: readonly ErrorCode[] = ['BUSY', 'NOT_FOUND', 'CONFLICT', 'EXISTS', 'INVALID'];
const inTheWay: readonly ErrorCode[] = kind === 'together' ? othersInTheWay : ['BUSY'];

/** Whether it was only that others were in the way. */
function sayFailure(error: unknown): boolean {
  if (!isVarveError(error)) throw error;
  const isHarmless = isVarveError(error, ...inTheWay);
  say({ failed: error.code, message: error.message, isHarmless });
  return isHarmless;
}

async function work(random: () => number): Promise<void> {
  await using store = await openStore(path, { create: true });
  for (let isGoing = true; isGoing; ) {
    const operation: Operation = kind === 'collect' ? { kind } : randomOperation(store, random);
    say({ begin: operation });
    isGoing = await attempt(() => perform(store, operation));
  }
}

fs.writeSync(1, 'ready\n');
// Without a parent there is nobody to kill it.
if (fs.readSync(0, new Uint8Array(1)) === 0) process.exit();
await work(seededRandom(Number(seed))).catch(sayFailure);
