import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { assertEqualBytes, contentOf } from '../../src/conformance/device-content.ts';
import { randomBelow, seededRandom } from '../../src/filter/seeded-random.ts';
import { beginTransaction } from '../../src/image/transaction/begin-transaction.ts';
import { commitTransaction, rollBackTransaction } from '../../src/image/transaction/end-transaction.ts';
import { listTransactions } from '../../src/image/transaction/list-transactions.ts';
import { openTransactionDisk } from '../../src/image/transaction/open-transaction-disk.ts';
import { dropDeadRuns } from '../../src/image/transaction/run-lease.ts';
import { isRunName } from '../../src/image/transaction/transaction-name.ts';
import { collectGarbage } from '../../src/store/collect-garbage.ts';
import { rebuildCatalog } from '../../src/store/rebuild-catalog.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { endAndAwait } from '../process/end-process.ts';
import { assertClean, importDisk, readSnapshot, temporaryFolder } from '../store/temporary-store.ts';
import { FragileFileSystem, whyNoFileSystem } from './fragile-file-system.ts';
import { stampedDisk, type TransactionReport, transactionImages } from './transaction-step.ts';

const program = fileURLToPath(new URL('transaction-worker.ts', import.meta.url));
const rounds = Number(process.env.VARVE_TRANSACTION_ROUNDS ?? 12);
const seed = Number(process.env.VARVE_CRASH_SEED ?? Date.now() % 1_000_000);
/** Up to this much of a worker's life. */
const longestLifeMs = 400;
const rebuildEvery = 5;

/** Ends the worker's world, and makes it one that can be looked at. */
interface End {
  /** Whether what was not synced is lost, too. */
  readonly isPowerCut: boolean;
  cut(): void;
  mend(): void;
}

/** What a worker said before its end, and what it said while that came. */
interface Said {
  readonly sure: readonly TransactionReport[];
  /** A sync that waits while the power is cut may be answered as if it had been done. */
  readonly unsure: readonly TransactionReport[];
}

/** Lets a worker live for a while. */
async function live(path: string, compiled: string, random: () => number, stamp: number, end: End): Promise<Said> {
  const args = [program, path, String(randomBelow(random, 2 ** 31)), String(stamp)];
  const env = { ...process.env, NODE_COMPILE_CACHE: compiled };
  const child = spawn(process.execPath, args, { stdio: 'pipe', env });
  const [output, errors, closed] = [text(child.stdout), text(child.stderr), once(child, 'close')];
  child.stdin.on('error', () => {});
  await Promise.race([once(child.stdout, 'data'), closed]);
  child.stdin.write('!');
  await setTimeout(random() * longestLifeMs);
  const cutNs = end.isPowerCut ? Number(process.hrtime.bigint()) : Infinity;
  end.cut();
  await endAndAwait(child, closed);
  end.mend();
  assert.equal(await errors, '');
  const lines = (await output).split('\n').slice(1, -1);
  const failed = lines.filter((line) => line.startsWith('failed'));
  if (!end.isPowerCut) assert.deepEqual(failed, []);
  const reports = lines.slice(0, lines.length - failed.length).map((line) => JSON.parse(line) as TransactionReport);
  return { sure: reports.filter(({ ns }) => ns < cutNs), unsure: reports.filter(({ ns }) => ns >= cutNs) };
}

/** The one stamp that all images have. */
async function stampOfAll(store: Store): Promise<number> {
  const disks = await Promise.all(transactionImages.map((image) => readSnapshot(store, image)));
  const stamp = Buffer.from(disks[0]!).readUInt32LE(0);
  for (const disk of disks) assertEqualBytes(disk, stampedDisk(stamp), `all disks are full of ${stamp}`);
  return stamp;
}

/** What is done with the transactions that are there after a crash: those of runs go, the others have what was flushed. */
async function endOpen(store: Store, random: () => number, { sure, unsure }: Said): Promise<number> {
  let stamp = await stampOfAll(store);
  dropDeadRuns(store);
  const open = listTransactions(store);
  assert.deepEqual(
    open.filter(({ name }) => isRunName(name)),
    [],
  );
  const left = sure.filter(({ step }) => step === 'left').map(({ name }) => name);
  assert.deepEqual(new Set(left).difference(new Set(open.map(({ name }) => name))), new Set());
  for (const { disks, holder, name } of open) {
    assert.deepEqual([holder, disks.map(({ image }) => image).sort()], [undefined, transactionImages.toSorted()]);
    const report = sure.findLast((each) => each.name === name) ?? unsure.find((each) => each.name === name)!;
    // One whose commit is still to be done is whole.
    const isFlushed = sure.includes(report) && report.step !== 'begin' && report.step !== 'write';
    if (isFlushed) await checkDisks(store, name, report.stamp);
    // Its base is the newest only where nothing was committed after it.
    if (!isFlushed || disks.some(({ hasMoved }) => hasMoved) || randomBelow(random, 2) === 0) {
      rollBackTransaction(store, name);
    } else {
      await commitTransaction(store, name);
      stamp = report.stamp;
    }
  }
  assert.equal(await stampOfAll(store), stamp);
  return stamp;
}

async function checkDisks(store: Store, transaction: string, stamp: number): Promise<void> {
  for (const image of transactionImages) {
    await using disk = await openTransactionDisk(store, { image, transaction }, { purpose: 'a test' });
    assertEqualBytes(await contentOf(disk.device), stampedDisk(stamp), `${image}@${transaction} is full of ${stamp}`);
  }
}

/** Opens the store that a worker was torn from, and checks that it is whole. The stamp that all images have then. */
async function check(path: string, before: number, said: Said, random: () => number) {
  await using store = await openStore(path);
  assert.deepEqual(store.leases.living(), [], 'nobody is at work');
  await assertClean(store);
  const stamp = await stampOfAll(store);
  const committed = said.sure.findLast(({ step }) => step === 'committed')?.stamp ?? before;
  const last = said.sure.at(-1);
  const open = [...(last === undefined ? [] : [last]), ...said.unsure].filter(({ step }) => step === 'commit');
  const allowed = [committed, ...open.map(({ stamp }) => stamp)];
  assert.ok(allowed.includes(stamp), `the images have ${stamp}, and may ${allowed}`);
  const now = await endOpen(store, random, said);
  const after = await beginTransaction(store, transactionImages);
  await checkDisks(store, after, now);
  rollBackTransaction(store, after);
  await assertClean(store);
  return { stamp: now, place: last?.step ?? 'nothing' };
}

/** Makes the catalog anew, without what the crash left: files that were being deleted would be told. */
async function rebuild(path: string): Promise<void> {
  {
    await using store = await openStore(path);
    await collectGarbage(store);
  }
  assert.deepEqual((await rebuildCatalog(path)).skipped, []);
}

async function survive(context: TestContext, path: string, compiled: string, end: End): Promise<void> {
  const random = seededRandom(seed);
  {
    await using store = await openStore(path, { create: true });
    for (const image of transactionImages) await importDisk(store, image, stampedDisk(1));
  }
  const landed = new Map<string, number>();
  let stamp = 1;
  let committed = 0;
  for (let round = 1; round <= rounds; round += 1) {
    const said = await live(path, compiled, random, round * 10_000, end);
    committed += said.sure.filter(({ step }) => step === 'committed').length;
    if (round % rebuildEvery === 0) await rebuild(path);
    const found = await check(path, stamp, said, random);
    stamp = found.stamp;
    landed.set(found.place, (landed.get(found.place) ?? 0) + 1);
  }
  await using store = await openStore(path);
  await collectGarbage(store);
  assert.deepEqual((await assertClean(store)).leftovers, []);
  const places = [...landed].map(([place, count]) => `${place} ${count}`);
  context.diagnostic(`${committed} were committed; ends came after: ${places.join(', ')}`);
}

describe(`transactions over ${transactionImages.length} images`, () => {
  test(`survive kill -9 at ${rounds} random moments (seed ${seed})`, async (context) => {
    await using folder = await temporaryFolder();
    const end = { isPowerCut: false, cut() {}, mend() {} };
    await survive(context, join(folder.path, 'store'), join(folder.path, 'compiled'), end);
  });

  for (const kind of ['ext4', 'xfs'] as const) {
    const title = `survive ${rounds} power cuts at random moments on ${kind} (seed ${seed})`;
    test(title, { skip: whyNoFileSystem(kind) }, async (context) => {
      await using folder = await temporaryFolder();
      using fileSystem = new FragileFileSystem(kind, folder.path);
      const end: End = {
        isPowerCut: true,
        cut: () => fileSystem.cut(),
        mend() {
          fileSystem.unmount();
          fileSystem.mount();
        },
      };
      await survive(context, join(fileSystem.path, 'store'), join(folder.path, 'compiled'), end);
    });
  }
});
