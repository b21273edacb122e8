import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { projectDirectory } from '../../scripts/project.ts';
import { seededRandom } from '../../src/filter/seeded-random.ts';
import { collectGarbage } from '../../src/store/collect-garbage.ts';
import { openStore } from '../../src/store/store.ts';
import { Workplace } from '../command/varve.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { endAndAwait } from '../process/end-process.ts';
import { assertClean, readSnapshot } from '../store/temporary-store.ts';

const skip = skipWithout('qemu-io', 'qemu-img');
const rounds = Number(process.env.VARVE_TX_ROUNDS ?? 4);
const seed = Number(process.env.VARVE_CRASH_SEED ?? Date.now() % 1_000_000);
const size = 2 ** 20;
/** The file that a command makes when it has written all. */
const markName = 'written';

/** Writes `byte` all over the disks of a transaction. */
function filling(byte: number, count: number): string[] {
  const writes = Array.from(
    { length: count },
    (_, index) => `qemu-io -f raw -c 'write -P ${byte} 0 ${size}' "$VARVE_NBD${index + 1}"`,
  );
  return ['--', 'sh', '-c', `(${writes.join(' && ')}) > /dev/null && touch ${markName}`];
}

/** The one byte that a disk is full of. */
function byteOf(content: Uint8Array, what: string): number {
  const [byte = -1] = content;
  assert.ok(
    content.every((each) => each === byte),
    `${what} is of one transaction`,
  );
  return byte;
}

/** Clusters that belong to nobody are what an end in the middle may cost, and no more. */
function assertSound(path: string): void {
  const { status, stderr } = spawnSync('qemu-img', ['check', '-q', path], { encoding: 'utf8' });
  const leaked = 3;
  assert.ok(status === 0 || status === leaked, stderr);
}

/** When a process is killed: so long after it began, or after its command has written all. */
interface Moment {
  readonly after: 'start' | 'writing';
  readonly delayMs: number;
}

/** Runs `varve ARGS`, and kills it at a moment; how it ended, and how long after its command. */
async function run(
  place: Workplace,
  args: readonly string[],
  moment?: Moment,
): Promise<[end: string, afterMs: number]> {
  const mark = join(place.directory, markName);
  fs.rmSync(mark, { force: true });
  const env = { ...process.env, VARVE_STORE: place.store };
  const child = spawn(join(projectDirectory, 'varve'), args, { cwd: place.directory, env, stdio: 'ignore' });
  const exited = once(child, 'exit');
  let isOver = false;
  exited.then(() => {
    isOver = true;
  });
  if (moment?.after !== 'start') while (!isOver && !fs.existsSync(mark)) await setTimeout(5);
  const start = performance.now();
  if (moment !== undefined) {
    await Promise.race([setTimeout(moment.delayMs), exited]);
    await endAndAwait(child, exited);
  }
  const [status, signal] = await exited;
  assert.ok(signal === 'SIGKILL' || status === 0, `it ended with ${signal ?? status}`);
  return [signal === 'SIGKILL' ? 'killed' : 'done', performance.now() - start];
}

/** Lets transactions be killed at random moments. `read` gives the byte that all is full of. */
async function survive(
  context: TestContext,
  place: Workplace,
  argsFor: (byte: number) => string[],
  read: () => Promise<number>,
): Promise<void> {
  // What is attached elsewhere is none of these.
  process.env.VARVE_RUN = join(place.directory, 'run');
  const random = seededRandom(seed);
  const start = performance.now();
  const [, afterMs] = await run(place, argsFor(1));
  const wholeMs = performance.now() - start;
  let present = await read();
  assert.equal(present, 1);
  const counts = { done: 0, 'all of it': 0, 'nothing of it': 0 };
  for (let round = 1; round <= rounds; round += 1) {
    const byte = (round % 250) + 2;
    const moment: Moment =
      round % 3 === 0
        ? { after: 'start', delayMs: random() * wholeMs }
        : { after: 'writing', delayMs: random() * afterMs * 1.1 };
    const [ended] = await run(place, argsFor(byte), moment);
    const found = await read();
    assert.ok([present, byte].includes(found), `it is full of ${found}, and may be of ${present} or ${byte}`);
    if (ended === 'done') assert.equal(found, byte);
    counts[ended === 'done' ? 'done' : found === byte ? 'all of it' : 'nothing of it'] += 1;
    present = found;
  }
  assert.equal((await place.run(argsFor(254))).status, 0);
  assert.equal(await read(), 254);
  context.diagnostic(
    `one takes ${Math.round(wholeMs)} ms, ${Math.round(afterMs)} of them after its command; ${JSON.stringify(counts)}`,
  );
}

describe(`varve tx, killed with -9 at ${rounds} random moments (seed ${seed})`, { skip }, () => {
  test('changes all of its images or none, and the next one tidies up', async (context) => {
    const place = new Workplace(context);
    const images = ['web', 'db'];
    for (const name of images) await place.addImage(name, { size, chunks: [...Array(16).keys()] });
    const read = async (): Promise<number> => {
      await using store = await openStore(place.store);
      await assertClean(store);
      const bytes = await Promise.all(images.map(async (name) => byteOf(await readSnapshot(store, name), name)));
      assert.deepEqual(new Set(bytes).size, 1, `the images have ${bytes}`);
      return bytes[0]!;
    };
    await survive(context, place, (byte) => ['tx', ...images, ...filling(byte, images.length)], read);
    assert.deepEqual(await place.json('tx', 'list'), []);
    assert.deepEqual(await place.json('list', '--attached'), [], 'nothing is attached any more');
    await using store = await openStore(place.store);
    await collectGarbage(store);
    assert.deepEqual((await assertClean(store)).leftovers, []);
  });

  for (const format of ['raw', 'qcow2']) {
    test(`changes a ${format} file as a whole or not at all, and the next one tidies up`, async (context) => {
      const place = new Workplace(context);
      const name = `disk.${format}`;
      const path = join(place.directory, name);
      execFileSync('qemu-img', ['create', '-q', '-f', format, path, String(size)]);
      const read = async (): Promise<number> => {
        if (format === 'qcow2') assertSound(path);
        const raw = join(place.directory, 'read.img');
        execFileSync('qemu-img', ['convert', '-f', format, '-O', 'raw', path, raw]);
        return byteOf(fs.readFileSync(raw), name);
      };
      await survive(context, place, (byte) => ['tx', `./${name}`, ...filling(byte, 1)], read);
      const left = fs.readdirSync(place.directory).filter((each) => each.includes('.tx-'));
      assert.deepEqual(left, []);
    });
  }

  test('changes all of its files or none, whichever is opened first', async (context) => {
    const place = new Workplace(context);
    const files = ['a.raw', 'b.qcow2'];
    for (const name of files) {
      const [, format] = name.split('.') as [string, string];
      execFileSync('qemu-img', ['create', '-q', '-f', format, join(place.directory, name), String(size)]);
    }
    let turn = 0;
    const read = async (): Promise<number> => {
      turn += 1;
      const bytes: number[] = [];
      for (const name of turn % 2 === 0 ? files : files.toReversed()) {
        await place.varve('convert', `./${name}`, './read.img', '--to', 'raw', '--force');
        bytes.push(byteOf(fs.readFileSync(join(place.directory, 'read.img')), name));
      }
      assert.equal(new Set(bytes).size, 1, `the files have ${bytes}`);
      assertSound(join(place.directory, 'b.qcow2'));
      return bytes[0]!;
    };
    const paths = files.map((name) => `./${name}`);
    await survive(context, place, (byte) => ['tx', ...paths, ...filling(byte, files.length)], read);
    const left = fs.readdirSync(place.directory).filter((each) => /^\.|\.part-/.test(each));
    assert.deepEqual(left, []);
  });
});
