import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { assertClean, importDisk, readSnapshot, temporaryFolder } from '../../../test/store/temporary-store.ts';
import { isVarveError } from '../../base/varve-error.ts';
import { assertEqualBytes, contentOf } from '../../conformance/device-content.ts';
import { randomBelow, seededRandom } from '../../filter/seeded-random.ts';
import { collectGarbage } from '../../store/collect-garbage.ts';
import { openStore, type Store } from '../../store/store.ts';
import { discardChanges } from '../discard-changes.ts';
import { type LiveImage, openImageForWriting } from '../live-image.ts';
import { restoreSnapshot } from '../restore-snapshot.ts';
import { settleImage } from '../settle-image.ts';
import { snapshotImage } from '../snapshot-image.ts';
import { beginTransaction } from './begin-transaction.ts';
import { commitTransaction, rollBackTransaction } from './end-transaction.ts';
import { listTransactions } from './list-transactions.ts';
import { openTransactionDisk } from './open-transaction-disk.ts';

const names = ['web', 'db'] as const;
type Name = (typeof names)[number];
const size = 192 * 1024;
const histories = Number(process.env.VARVE_HISTORIES ?? 5);
const steps = 100;
const seed = Number(process.env.VARVE_CRASH_SEED ?? Date.now() % 1_000_000);
const mostTransactions = 4;

/** A disk in a transaction: what it began with, and what it holds. */
interface PlainDisk {
  readonly base: number;
  readonly before: Uint8Array;
  content: Uint8Array;
}

/** What the store should be, as plain as can be: for each image all of its snapshots and its uncommitted disk. */
class PlainHistory {
  readonly snapshots = new Map<Name, Uint8Array[]>(names.map((name) => [name, [new Uint8Array(size)]]));
  /** Changes that no snapshot has. */
  readonly uncommitted = new Map<Name, Uint8Array>();
  readonly transactions = new Map<string, Map<Name, PlainDisk>>();

  newest(name: Name): Uint8Array {
    return this.snapshots.get(name)!.at(-1)!;
  }

  begin(transaction: string, images: readonly Name[]): void {
    const disks = images.map((name): [Name, PlainDisk] => {
      const before = this.newest(name);
      return [name, { base: this.snapshots.get(name)!.length, before, content: before }];
    });
    this.transactions.set(transaction, new Map(disks));
  }

  /** Whether it may commit; if so it has. The error that it ends with otherwise. */
  commit(transaction: string): 'committed' | 'CONFLICT' {
    const disks = [...this.transactions.get(transaction)!];
    const changed = disks.filter(([, { before, content }]) => !isEqual(before, content));
    const hasMoved = disks.some(([name, { base }]) => this.snapshots.get(name)!.length !== base);
    const isInTheWay = changed.some(([name]) => this.uncommitted.has(name));
    if (changed.length > 0 && (hasMoved || isInTheWay)) return 'CONFLICT';
    for (const [name, { content }] of changed) this.snapshots.get(name)!.push(content);
    this.transactions.delete(transaction);
    return 'committed';
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** The store, the plain history, and what is done to both. */
class Run implements AsyncDisposable {
  readonly #path: string;
  readonly #random: () => number;
  readonly #plain = new PlainHistory();
  readonly done = new Map<string, number>();
  #store: Store;

  constructor(path: string, store: Store, random: () => number) {
    this.#path = path;
    this.#store = store;
    this.#random = random;
  }

  async step(): Promise<void> {
    const doing = this.#pick([
      ...['begin', 'begin', 'write', 'write', 'write', 'write', 'commit', 'commit', 'roll back'],
      ...['write plainly', 'snapshot', 'discard', 'restore', 'import', 'reopen', 'collect garbage'],
    ]);
    const outcome = await this.#perform(doing);
    const key = `${doing}: ${outcome}`;
    this.done.set(key, (this.done.get(key) ?? 0) + 1);
  }

  async #perform(doing: string): Promise<string> {
    const name = this.#pick(names);
    const transaction = this.#pick([...this.#plain.transactions.keys()]);
    if (doing === 'begin') return await this.#begin();
    if (doing === 'write plainly') return await this.#writePlainly(name);
    if (doing === 'snapshot') return await this.#snapshot(name);
    if (doing === 'discard') return await this.#discard(name);
    if (doing === 'restore' || doing === 'import') return await this.#replace(name, doing);
    if (doing === 'reopen') return await this.#reopen();
    if (doing === 'collect garbage') return await this.#collectGarbage();
    if (transaction === undefined) return 'none';
    if (doing === 'write') return await this.#write(transaction);
    if (doing === 'commit') return await this.#commit(transaction);
    rollBackTransaction(this.#store, transaction);
    this.#plain.transactions.delete(transaction);
    return 'done';
  }

  async #collectGarbage(): Promise<string> {
    await collectGarbage(this.#store);
    return 'done';
  }

  async #begin(): Promise<string> {
    if (this.#plain.transactions.size >= mostTransactions) return 'enough';
    const images = names.filter(() => randomBelow(this.#random, 3) > 0);
    if (images.length === 0) return 'nothing';
    const isRefused = images.some((name) => this.#plain.uncommitted.has(name));
    const begun = await codeOf(() => beginTransaction(this.#store, images));
    if (isRefused) return this.#expect(begun, 'CONFLICT');
    assert.notEqual(begun, 'CONFLICT');
    this.#plain.begin(begun, images);
    return 'done';
  }

  async #write(transaction: string): Promise<string> {
    const disks = this.#plain.transactions.get(transaction)!;
    const image = this.#pick([...disks.keys()]);
    await using disk = await openTransactionDisk(this.#store, { image, transaction }, { purpose: 'a test' });
    disks.get(image)!.content = await this.#change(disk, disks.get(image)!.content);
    return 'done';
  }

  async #commit(transaction: string): Promise<string> {
    const wanted = this.#plain.commit(transaction);
    const found = await codeOf(async () => {
      await commitTransaction(this.#store, transaction);
      return 'committed';
    });
    return this.#expect(found, wanted);
  }

  async #writePlainly(name: Name): Promise<string> {
    const before = this.#plain.uncommitted.get(name) ?? this.#plain.newest(name);
    await using image = await openImageForWriting(this.#store, name);
    const after = await this.#change(image, before);
    this.#plain.uncommitted.set(name, after);
    return 'done';
  }

  async #snapshot(name: Name): Promise<string> {
    const content = this.#plain.uncommitted.get(name) ?? this.#plain.newest(name);
    await snapshotImage(this.#store, name, { message: 'a test' });
    await settleImage(this.#store, name);
    this.#plain.snapshots.get(name)!.push(content);
    this.#plain.uncommitted.delete(name);
    return 'done';
  }

  async #discard(name: Name): Promise<string> {
    await discardChanges(this.#store, name);
    this.#plain.uncommitted.delete(name);
    return 'done';
  }

  /** What makes another content the newest, without a transaction. */
  async #replace(name: Name, how: 'restore' | 'import'): Promise<string> {
    const snapshots = this.#plain.snapshots.get(name)!;
    const number = 1 + randomBelow(this.#random, snapshots.length);
    const content =
      how === 'restore' ? snapshots[number - 1]! : new Uint8Array(size).fill(randomBelow(this.#random, 256));
    const found = await codeOf(async () => {
      if (how === 'import') await importDisk(this.#store, name, content);
      else restoreSnapshot(this.#store, `${name}@${number}`);
      return 'done';
    });
    const isRefused = this.#plain.uncommitted.has(name);
    if (!isRefused && (how === 'import' || !isEqual(content, snapshots.at(-1)!))) snapshots.push(content);
    return this.#expect(found, isRefused ? 'CONFLICT' : 'done');
  }

  /** Another process comes, after one that closed nothing: what was flushed is all that there is. */
  async #reopen(): Promise<string> {
    await this.#store[Symbol.asyncDispose]();
    this.#store = await openStore(this.#path);
    return 'done';
  }

  /** Writes, zeroes or trims a range, and flushes it; gives what the disk holds then. */
  async #change({ device }: LiveImage, before: Uint8Array): Promise<Uint8Array> {
    const start = randomBelow(this.#random, size);
    const length = 1 + randomBelow(this.#random, Math.min(size - start, 40_000));
    const after = before.slice();
    const byte = randomBelow(this.#random, 4);
    after.fill(byte, start, start + length);
    if (byte === 0) await device.zero(start, length);
    else await device.write(new Uint8Array(length).fill(byte), start);
    await device.flush();
    return after;
  }

  /** Compares all that can be seen. */
  async check(): Promise<void> {
    for (const name of names) {
      const snapshots = this.#plain.snapshots.get(name)!;
      const numbers = this.#store.images.snapshots(name).map(({ number }) => number);
      assert.deepEqual(
        numbers.toSorted((a, b) => a - b),
        snapshots.map((_, index) => index + 1),
      );
      for (const [index, content] of snapshots.entries()) {
        assertEqualBytes(await readSnapshot(this.#store, `${name}@${index + 1}`), content, `${name}@${index + 1}`);
      }
    }
    const open = listTransactions(this.#store).map(({ name }) => name);
    assert.deepEqual(new Set(open), new Set(this.#plain.transactions.keys()));
    for (const [transaction, disks] of this.#plain.transactions) {
      for (const [image, { content }] of disks) {
        await using disk = await openTransactionDisk(this.#store, { image, transaction }, { purpose: 'a test' });
        assertEqualBytes(await contentOf(disk.device), content, `${image}@${transaction}`);
      }
    }
    for (const [name, content] of this.#plain.uncommitted) {
      await using image = await openImageForWriting(this.#store, name);
      assertEqualBytes(await contentOf(image.device), content, `${name}, uncommitted`);
    }
    await assertClean(this.#store);
  }

  #pick<T>(all: readonly T[]): T {
    return all[randomBelow(this.#random, all.length)]!;
  }

  #expect(found: string, wanted: string): string {
    assert.equal(found, wanted);
    return wanted;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}

/** What `action` gives, or the code of what it throws. */
async function codeOf(action: () => Promise<string>): Promise<string> {
  try {
    return await action();
  } catch (error) {
    if (isVarveError(error)) return error.code;
    throw error;
  }
}

test(`${histories} random histories of ${steps} steps are those of a plain model, in which one comes after the other (seed ${seed})`, async (context) => {
  const done = new Map<string, number>();
  for (let history = 0; history < histories; history += 1) {
    await using folder = await temporaryFolder();
    const store = await openStore(`${folder.path}/store`, { create: true });
    for (const name of names) await importDisk(store, name, new Uint8Array(size));
    await using run = new Run(`${folder.path}/store`, store, seededRandom(seed + history));
    for (let step = 1; step <= steps; step += 1) {
      await run.step();
      if (step % 10 === 0) await run.check();
    }
    for (const [key, count] of run.done) done.set(key, (done.get(key) ?? 0) + count);
    await setTimeout(0);
  }
  context.diagnostic([...done].map(([key, count]) => `${key} ${count}`).join(', '));
});
