import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { assertEqualBytes, contentOf } from '../../src/conformance/device-content.ts';
import { seededRandom } from '../../src/filter/seeded-random.ts';
import { openFileDisk } from '../../src/image/file-disk.ts';
import { FileTransaction } from '../../src/image/transaction/file-transaction.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { endAndAwait } from '../process/end-process.ts';
import { temporaryFolder } from '../store/temporary-store.ts';
import { FragileFileSystem, whyNoFileSystem } from './fragile-file-system.ts';
import { stampedDisk } from './transaction-step.ts';

const program = fileURLToPath(new URL('files-worker.ts', import.meta.url));
const rounds = Number(process.env.VARVE_FILES_ROUNDS ?? 8);
const seed = Number(process.env.VARVE_CRASH_SEED ?? Date.now() % 1_000_000);
/** Up to this much of a worker's life. */
const longestLifeMs = 250;
const longestCommitMs = 80;
/** In two directories, as links and names go from one to the other. */
const names: readonly string[] = ['a/one.qcow2', 'b/two.raw', 'b/three.qcow2'];

/** Ends the worker's world, and makes it one that can be looked at. */
interface End {
  readonly kind: 'kill' | 'power cut';
  cut(): void;
  mend(): void;
}

/** When an end comes: so long after the worker began, or after it began to commit. */
interface Moment {
  readonly after: 'start' | 'commit';
  readonly delayMs: number;
}

/** Lets a worker live for a while. The stamps that it said before its end. */
async function live(directory: string, compiled: string, moment: Moment, stamp: number, end: End): Promise<number[]> {
  const env = { ...process.env, NODE_COMPILE_CACHE: compiled };
  const child = spawn(process.execPath, [program, directory, String(stamp), ...names], { stdio: 'pipe', env });
  const [output, errors, closed] = [text(child.stdout), text(child.stderr), once(child, 'close')];
  child.stdin.on('error', () => {});
  await Promise.race([once(child.stdout, 'data'), closed]);
  const said = once(child.stdout, 'data');
  child.stdin.write('!');
  if (moment.after === 'commit') await Promise.race([said, closed]);
  await setTimeout(moment.delayMs);
  const cutNs = process.hrtime.bigint();
  end.cut();
  await endAndAwait(child, closed);
  end.mend();
  assert.equal(await errors, '');
  const lines = (await output).split('\n').slice(1, -1);
  const pairs = lines.map((line) => line.split(' ') as [string, string]);
  // A sync that waits while the power is cut may be answered as if it had been done.
  const sure = pairs.filter(([stamp, ns]) => stamp.startsWith('-') || end.kind === 'kill' || BigInt(ns) < cutNs);
  return sure.map(([stamp]) => Number(stamp));
}

/** The one stamp that all files have, which are opened in any order. */
async function stampOfAll(directory: string, random: () => number): Promise<number> {
  const stamps = new Map<string, number>();
  for (const name of names.toSorted(() => random() - 0.5)) {
    await using disk = await openFileDisk(join(directory, name));
    const content = await contentOf(disk.device);
    const stamp = Buffer.from(content).readUInt32LE(0);
    assertEqualBytes(content, stampedDisk(stamp), `${name} is full of ${stamp}`);
    stamps.set(name, stamp);
  }
  assert.equal(new Set(stamps.values()).size, 1, `they have ${JSON.stringify([...stamps])}`);
  return stamps.values().next().value!;
}

function makeFiles(directory: string): void {
  for (const name of names) {
    const path = join(directory, name);
    fs.mkdirSync(join(path, '..'), { recursive: true });
    fs.writeFileSync(`${path}.new`, stampedDisk(1));
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', path.split('.').at(-1)!, `${path}.new`, path]);
    fs.rmSync(`${path}.new`);
  }
  execFileSync('sync', ['-f', directory]);
}

/** Clusters that belong to nobody are what an end in the middle may cost, and no more. */
function assertSound(path: string): void {
  const { status, stderr } = spawnSync('qemu-img', ['check', '-q', path], { encoding: 'utf8' });
  const leaked = 3;
  assert.ok(status === 0 || status === leaked, stderr);
}

async function survive(context: TestContext, directory: string, compiled: string, end: End): Promise<void> {
  makeFiles(directory);
  const random = seededRandom(seed);
  const counts = { committed: 0, 'all of it': 0, 'nothing of it': 0 };
  let present = 1;
  for (let round = 1; round <= rounds; round += 1) {
    const moment: Moment =
      round % 4 === 0
        ? { after: 'start', delayMs: random() * longestLifeMs }
        : { after: 'commit', delayMs: random() * longestCommitMs };
    const said = await live(directory, compiled, moment, round * 1000, end);
    const committed = said.filter((stamp) => stamp > 0);
    counts.committed += committed.length;
    present = committed.at(-1) ?? present;
    const under = (said.at(-1) ?? 0) < 0 ? -said.at(-1)! : undefined;
    const found = await stampOfAll(directory, random);
    assert.ok([present, under].includes(found), `round ${round}: ${found}, and may be ${present} or ${under}`);
    if (under !== undefined) counts[found === under ? 'all of it' : 'nothing of it'] += 1;
    present = found;
    for (const name of names) if (name.endsWith('.qcow2')) assertSound(join(directory, name));
  }
  await tidyUp(directory, random);
  context.diagnostic(JSON.stringify(counts));
}

/** One more transaction leaves nothing of all that were cut off. */
async function tidyUp(directory: string, random: () => number): Promise<void> {
  {
    await using stack = new AsyncDisposableStack();
    const transactions: FileTransaction[] = [];
    for (const name of names) transactions.push(stack.use(await FileTransaction.begin(join(directory, name), {})));
    for (const { device } of transactions) await device.write(stampedDisk(7), 0);
    await FileTransaction.commitAll(transactions, {});
  }
  assert.equal(await stampOfAll(directory, random), 7);
  const left = ['a', 'b'].flatMap((each) => fs.readdirSync(join(directory, each)).map((name) => `${each}/${name}`));
  assert.deepEqual(left.sort(), names.toSorted());
}

describe(`${names.length} disk files that are changed together`, { skip: skipWithout('qemu-img') }, () => {
  test(`all change or none do, with kill -9 at ${rounds} random moments (seed ${seed})`, async (context) => {
    await using folder = await temporaryFolder();
    const nothing = { kind: 'kill', cut() {}, mend() {} } as const;
    await survive(context, join(folder.path, 'disks'), join(folder.path, 'compiled'), nothing);
  });

  for (const kind of ['ext4', 'xfs'] as const) {
    const title = `all change or none do, with ${rounds} power cuts at random moments on ${kind} (seed ${seed})`;
    test(title, { skip: whyNoFileSystem(kind) }, async (context) => {
      await using folder = await temporaryFolder();
      using fileSystem = new FragileFileSystem(kind, folder.path);
      const end: End = {
        kind: 'power cut',
        cut: () => fileSystem.cut(),
        mend() {
          fileSystem.unmount();
          fileSystem.mount();
        },
      };
      await survive(context, join(fileSystem.path, 'disks'), join(folder.path, 'compiled'), end);
    });
  }
});
