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
import { settleImage } from '../../src/image/settle-image.ts';
import { Machines } from '../../src/server/netboot/machines/machines.ts';
import { collectGarbage } from '../../src/store/collect-garbage.ts';
import { rebuildCatalog } from '../../src/store/rebuild-catalog.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { endAndAwait } from '../process/end-process.ts';
import { assertClean, importDisk, readSnapshot, temporaryFolder } from '../store/temporary-store.ts';
import { FragileFileSystem, whyNoFileSystem } from './fragile-file-system.ts';
import { type MachineReport, stampedMachines } from './machines-step.ts';
import { stampedDisk } from './transaction-step.ts';

const program = fileURLToPath(new URL('machines-worker.ts', import.meta.url));
const rounds = Number(process.env.VARVE_MACHINE_ROUNDS ?? 6);
const seed = Number(process.env.VARVE_CRASH_SEED ?? Date.now() % 1_000_000);
/** Up to this much of a worker's life. */
const longestLifeMs = 900;
const rebuildEvery = 4;

/** Ends the worker's world, and makes it one that can be looked at. */
interface End {
  /** Whether what was not synced is lost, too. */
  readonly isPowerCut: boolean;
  cut(): void;
  mend(): void;
}

/** What may be found after an end: the stamps on each machine's disk, and those that `web` may be full of. */
class Allowed {
  readonly disks = new Map<string, Set<number>>();
  web: Set<number>;
  /** The commits that are under way, by machine: what others committed meanwhile, of which any may be the last. */
  readonly #commits = new Map<string, Set<number>>();
  readonly #underWay = new Map<string, number>();

  constructor(web: number, disks: ReadonlyMap<string, ReadonlySet<number>>) {
    this.web = new Set([web]);
    for (const [mac, stamps] of disks) this.disks.set(mac, new Set(stamps));
  }

  /** What is not sure only adds to it: a sync that waits while the power is cut may be answered as if it had been done. */
  hear({ mac, stamp, step }: MachineReport, isSure: boolean): void {
    const own = this.disks.get(mac) ?? new Set();
    if (step === 'begin') this.disks.set(mac, own.union(this.web));
    else if (step === 'commit') this.#commit(mac, stamp);
    else if (step === 'committed') this.#committed(mac, stamp, isSure);
    else this.disks.set(mac, isSure && step !== 'write' ? new Set([stamp]) : own.add(stamp));
  }

  #commit(mac: string, stamp: number): void {
    this.web.add(stamp);
    for (const others of this.#commits.values()) others.add(stamp);
    this.#commits.set(mac, new Set(this.#underWay.values()));
    this.#underWay.set(mac, stamp);
  }

  #committed(mac: string, stamp: number, isSure: boolean): void {
    const meanwhile = this.#commits.get(mac) ?? new Set();
    this.#commits.delete(mac);
    this.#underWay.delete(mac);
    if (isSure) this.web = new Set([stamp]).union(meanwhile);
  }
}

/** Lets a worker live for a while. */
async function live(path: string, compiled: string, random: () => number, round: number, end: End) {
  const args = [program, path, String(randomBelow(random, 2 ** 31)), String(round * 10_000)];
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
  if (!end.isPowerCut) assert.equal(await errors, '');
  const lines = (await output).split('\n').slice(1, -1);
  const failed = lines.filter((line) => !line.startsWith('{'));
  if (!end.isPowerCut) assert.deepEqual(failed, []);
  return lines
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as MachineReport)
    .map((report) => ({ report, isSure: report.ns < cutNs }));
}

function stampsOf(disk: Uint8Array): Set<number> {
  const words = new Uint32Array(disk.buffer, disk.byteOffset, disk.length / 4);
  return new Set(words);
}

/** The disks of all machines that have begun a boot. */
async function disksOf(store: Store): Promise<Map<string, Set<number>>> {
  const disks = new Map<string, Set<number>>();
  await using machines = await Machines.open(store, undefined);
  for (const { mac } of stampedMachines) {
    const disk = await (await machines.exports.find(mac))?.connect();
    if (disk === undefined) continue;
    disks.set(mac, stampsOf(await contentOf(disk.device)));
    await disk[Symbol.asyncDispose]?.();
  }
  return disks;
}

/** Opens the store that a worker was torn from, and checks that it is whole. What it holds then. */
async function check(path: string, allowed: Allowed) {
  await using store = await openStore(path);
  assert.deepEqual(store.leases.living(), [], 'nobody is at work');
  await assertClean(store);
  await settleImage(store, 'web');
  const found = stampsOf(await readSnapshot(store, 'web'));
  assert.equal(found.size, 1, 'web is full of one stamp');
  const [web] = found as unknown as [number];
  assert.ok(allowed.web.has(web), `web has ${web}, and may have ${[...allowed.web]}`);
  const disks = await disksOf(store);
  for (const [mac, stamps] of disks) {
    const may = allowed.disks.get(mac) ?? new Set();
    assert.ok(stamps.isSubsetOf(may), `${mac} has ${[...stamps].slice(0, 9)}, and may have ${[...may]}`);
  }
  await assertClean(store);
  return { web, disks };
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
    await importDisk(store, 'web', stampedDisk(1));
  }
  const counts = new Map<string, number>();
  let state = { web: 1, disks: new Map<string, Set<number>>() };
  for (let round = 1; round <= rounds; round += 1) {
    const allowed = new Allowed(state.web, state.disks);
    for (const { isSure, report } of await live(path, compiled, random, round, end)) {
      allowed.hear(report, isSure);
      counts.set(report.step, (counts.get(report.step) ?? 0) + 1);
    }
    if (round % rebuildEvery === 0) await rebuild(path);
    state = await check(path, allowed);
  }
  await using store = await openStore(path);
  await collectGarbage(store);
  assert.deepEqual((await assertClean(store)).leftovers, []);
  context.diagnostic([...counts].map(([step, count]) => `${step} ${count}`).join(', '));
}

describe('machines, one that keeps its overlay and one that does not,', () => {
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
