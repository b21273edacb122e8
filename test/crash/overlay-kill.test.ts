import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { contentOf } from '../../src/conformance/device-content.ts';
import { randomBelow, seededRandom } from '../../src/filter/seeded-random.ts';
import { openImageForWriting } from '../../src/image/live-image.ts';
import { settleImage } from '../../src/image/settle-image.ts';
import { collectGarbage } from '../../src/store/collect-garbage.ts';
import { rebuildCatalog } from '../../src/store/rebuild-catalog.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { endAndAwait } from '../process/end-process.ts';
import { assertClean, importDisk, readSnapshot, temporaryFolder } from '../store/temporary-store.ts';
import { ExpectedDisk, type Stamps, stampsOf } from './expected-disk.ts';
import { FragileFileSystem, whyNoFileSystem } from './fragile-file-system.ts';
import { type OverlayReport, type OverlayStep, overlaySectorCount } from './overlay-step.ts';

const program = fileURLToPath(new URL('overlay-worker.ts', import.meta.url));
const rounds = Number(process.env.VARVE_OVERLAY_ROUNDS ?? 12);
const seed = Number(process.env.VARVE_CRASH_SEED ?? Date.now() % 1_000_000);
/** Up to this much of a worker's life. */
const longestLifeMs = 600;

/** A process that changes `web` until it is killed. */
class OverlayWorker implements Disposable {
  readonly #child;
  readonly #output: Promise<string>;
  readonly #errors: Promise<string>;
  readonly #ready: Promise<unknown>;
  readonly #closed: Promise<unknown>;

  constructor(path: string, compiled: string, workerSeed: number, stamp: number) {
    const args = [program, path, String(workerSeed), String(stamp)];
    this.#child = spawn(process.execPath, args, {
      stdio: 'pipe',
      env: { ...process.env, NODE_COMPILE_CACHE: compiled },
    });
    this.#ready = once(this.#child.stdout, 'data');
    this.#output = text(this.#child.stdout);
    this.#errors = text(this.#child.stderr);
    this.#closed = once(this.#child, 'close');
    this.#child.stdin.on('error', () => {});
  }

  async start(): Promise<void> {
    await Promise.race([this.#ready, this.#closed]);
    this.#child.stdin.write('!');
  }

  async kill(): Promise<OverlayReport[]> {
    await endAndAwait(this.#child, this.#closed);
    assert.equal(await this.#errors, '');
    const lines = (await this.#output).split('\n').slice(0, -1);
    return lines.filter((line) => line !== 'ready').map((line) => JSON.parse(line) as OverlayReport);
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}

/** What is known of a store between two workers. */
interface Known {
  readonly disk: Stamps;
  /** Of every snapshot. */
  readonly snapshots: ReadonlyMap<number, Stamps>;
}

/** Opens the store that a worker was torn from, and checks that it is whole. What is known of it then. */
async function check(path: string, before: Known, reports: readonly OverlayReport[], cutNs: number): Promise<Known> {
  const expected = new ExpectedDisk(before.disk, [...before.snapshots.values()].at(-1) as Stamps);
  let step: OverlayStep | undefined;
  for (const report of reports) {
    if ('failed' in report) {
      // A disk whose power is being cut fails.
      assert.ok(Number.isFinite(cutNs), `${step?.kind}: ${report.failed}: ${report.message}`);
    } else if ('begin' in report) {
      step = report.begin;
      expected.begin(step);
    } else if (report.doneNs < cutNs || step?.kind === 'write' || step?.kind === 'zero') {
      expected.done(step as OverlayStep, report.number);
    } else break;
  }
  await using store = await openStore(path);
  assert.deepEqual(store.leases.living(), [], 'nobody is at work');
  await assertClean(store);
  const snapshots = await checkSnapshots(store, before, expected);
  await using image = await openImageForWriting(store, 'web');
  const disk = stampsOf(await contentOf(image.device));
  expected.check(disk);
  return { disk, snapshots };
}

/** Every snapshot that was reported is there, as is every earlier one, and perhaps the one that was under way. */
async function checkSnapshots(store: Store, before: Known, expected: ExpectedDisk): Promise<Map<number, Stamps>> {
  await settleImage(store, 'web');
  const snapshots = new Map([...before.snapshots, ...expected.snapshots]);
  const numbers = store.images.snapshots('web').map(({ number }) => number);
  for (const number of numbers) {
    const wanted = snapshots.get(number) ?? expected.unreported;
    assert.ok(wanted, `web@${number} was asked for`);
    snapshots.set(number, wanted);
    assert.deepEqual(stampsOf(await readSnapshot(store, `web@${number}`)), wanted, `web@${number}`);
  }
  assert.deepEqual(numbers, [...snapshots.keys()]);
  return snapshots;
}

async function newStore(path: string): Promise<Known> {
  await using store = await openStore(path, { create: true });
  await importDisk(store, 'web', new Uint8Array(overlaySectorCount * 512));
  const disk = new Uint32Array(overlaySectorCount);
  return { disk, snapshots: new Map([[1, disk]]) };
}

/** `cut` ends the worker's world, and `mend` makes it one that can be looked at. */
async function survive(
  context: TestContext,
  path: string,
  compiled: string,
  cut: () => number,
  mend: () => void,
): Promise<void> {
  const random = seededRandom(seed);
  let known = await newStore(path);
  let steps = 0;
  for (let round = 1; round <= rounds; round += 1) {
    using worker = new OverlayWorker(path, compiled, randomBelow(random, 2 ** 31), round * 100_000);
    await worker.start();
    await setTimeout(random() * longestLifeMs);
    const cutNs = cut();
    const reports = await worker.kill();
    mend();
    steps += reports.length;
    known = await check(path, known, reports, cutNs);
    // What was there before stays the same, of which one would otherwise only look at more and more.
    if (known.snapshots.size > 12) known = await prune(path, known);
  }
  await using store = await openStore(path);
  await collectGarbage(store);
  assert.deepEqual((await assertClean(store)).leftovers, []);
  context.diagnostic(`${steps} lines were said before the ends`);
}

/** Removes all snapshots but the last, garbage-collects, and makes the catalog anew. */
async function prune(path: string, { disk, snapshots }: Known): Promise<Known> {
  const numbers = [...snapshots.keys()];
  {
    await using store = await openStore(path);
    store.edit.removeSnapshots('web', numbers.slice(0, -1));
    await collectGarbage(store);
  }
  assert.deepEqual((await rebuildCatalog(path)).skipped, []);
  return { disk, snapshots: new Map([...snapshots].slice(-1)) };
}

test(`an image that is written to survives kill -9 at ${rounds} random moments (seed ${seed})`, async (context) => {
  await using folder = await temporaryFolder();
  await survive(
    context,
    join(folder.path, 'store'),
    join(folder.path, 'compiled'),
    () => Infinity,
    () => {},
  );
});

describe('an image that is written to, on a file system that loses what was not synced', () => {
  for (const kind of ['ext4', 'xfs'] as const) {
    const title = `survives ${rounds} power cuts at random moments on ${kind} (seed ${seed})`;
    test(title, { skip: whyNoFileSystem(kind) }, async (context) => {
      await using folder = await temporaryFolder();
      using fileSystem = new FragileFileSystem(kind, folder.path);
      const cut = (): number => {
        const cutNs = Number(process.hrtime.bigint());
        fileSystem.cut();
        return cutNs;
      };
      const mend = (): void => {
        fileSystem.unmount();
        fileSystem.mount();
      };
      await survive(context, join(fileSystem.path, 'store'), join(folder.path, 'compiled'), cut, mend);
    });
  }
});
