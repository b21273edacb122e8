import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { contentOf } from '../../src/conformance/device-content.ts';
import { seededRandom } from '../../src/filter/seeded-random.ts';
import { imageDirectory, openPath, qemuImg, qemuIo } from '../interop/qemu-images.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { endAndAwait } from '../process/end-process.ts';

const skip = skipWithout('qemu-img', 'qemu-io');
const program = fileURLToPath(new URL('file-worker.ts', import.meta.url));
const rounds = Number(process.env.VARVE_CRASH_FILE_ROUNDS ?? 5);
const seed = Number(process.env.VARVE_CRASH_SEED ?? Date.now() % 1_000_000);
const longestLifeMs = 400;
const sizeText = '2M';

/** How a worker ended: what it said, a list of words for each line. */
interface Life {
  readonly lines: readonly string[][];
}

/** Runs a worker, until it has done its work, or from its first word on for so long. */
async function live(kind: string, directory: string, version: number, count: number, lifeMs?: number): Promise<Life> {
  const env = { ...process.env, NODE_COMPILE_CACHE: join(directory, 'compiled') };
  const child = spawn(process.execPath, [program, kind, directory, String(version), String(count)], { env });
  const [output, errors, closed] = [text(child.stdout), text(child.stderr), once(child, 'close')];
  if (lifeMs !== undefined) {
    await Promise.race([once(child.stdout, 'data'), closed]);
    await setTimeout(lifeMs);
    await endAndAwait(child, closed);
  }
  await closed;
  assert.equal(await errors, '');
  return {
    lines: (await output)
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(' ')),
  };
}

/** The one byte that a disk is full of. */
function versionIn(content: Uint8Array, what: string): number {
  const [version = -1] = content;
  assert.ok(
    content.every((byte) => byte === version),
    `${what} is of one version`,
  );
  return version;
}

/** The version that was done last, and the one that may be there as well. */
function allowed({ lines }: Life, before: number): number[] {
  const done = lines.findLast(([word]) => word === 'done');
  const last = lines.at(-1);
  const versions = [done === undefined ? before : Number(done[1])];
  if (last !== undefined && last[0] !== 'done') versions.push(Number(last[1]));
  return versions;
}

async function assertNoWorseThanLeaks(path: string): Promise<void> {
  await promisify(execFile)('qemu-img', ['check', path]).catch((error) => {
    assert.equal(error.code, 3, `${error.stdout}${error.stderr}`);
  });
}

async function readAll(path: string, directory: string): Promise<Uint8Array> {
  await using disk = await openPath(path, directory);
  return await contentOf(disk);
}

async function sweep(directory: string): Promise<void> {
  for (const name of await fs.readdir(directory)) if (/\.part-/.test(name)) await fs.rm(join(directory, name));
}

describe('a commit that is killed', { skip }, () => {
  for (const base of ['base.qcow2', 'base.raw']) {
    test(`leaves ${base} old or new, at ${rounds} random moments (seed ${seed})`, async (t) => {
      await using directory = await imageDirectory();
      const [folder, path] = [directory.path(''), directory.path(base)];
      const random = seededRandom(seed);
      const format = base.endsWith('qcow2') ? 'qcow2' : 'raw';
      await qemuImg('create', '-q', '-f', format, path, sizeText);
      await qemuIo(path, `write -P 1 0 ${sizeText}`);
      let version = 1;
      let landed = 0;
      for (let round = 1; round <= rounds; round += 1) {
        const life = await live(base, folder, round * 20, 1000, random() * longestLifeMs);
        const found = versionIn(await readAll(path, folder), base);
        const expected = allowed(life, version);
        assert.ok(expected.includes(found), `round ${round}: ${found} is one of ${expected}`);
        if (expected.length > 1) landed += 1;
        if (format === 'qcow2') await assertNoWorseThanLeaks(path);
        version = found;
        await sweep(folder);
      }
      t.diagnostic(`${landed} kills landed inside a commit`);
    });
  }
});

test(`a disk file is there and whole, whenever its snapshot or restoring is killed (seed ${seed})`, {
  skip,
}, async () => {
  await using directory = await imageDirectory();
  const [folder, disk] = [directory.path(''), directory.path('disk.qcow2')];
  const random = seededRandom(seed);
  await qemuImg('create', '-q', '-f', 'qcow2', disk, sizeText);
  await qemuIo(disk, `write -P 1 0 ${sizeText}`);
  let version = 1;
  for (let round = 1; round <= rounds; round += 1) {
    const { lines } = await live('keep', folder, round * 20, 1000, random() * longestLifeMs);
    const last = lines.at(-1);
    const content = await readAll(disk, folder);
    // While a version is being written, some of each is there.
    if (last?.[0] !== 'begin') version = versionIn(content, `round ${round}`);
    if (last !== undefined && last[0] !== 'begin') assert.equal(version, Number(last[1]), `round ${round}`);
    await assertNoWorseThanLeaks(disk);
    await sweep(folder);
    if (round % 4 === 0) {
      await qemuImg('convert', '-O', 'qcow2', disk, directory.path('flat.qcow2'));
      for (const name of await fs.readdir(folder)) if (name.startsWith('disk')) await fs.rm(join(folder, name));
      await fs.rename(directory.path('flat.qcow2'), disk);
    }
  }
});

test(`a disk file holds what it held, whenever its rebase is killed (seed ${seed})`, { skip }, async () => {
  await using directory = await imageDirectory();
  const [folder, disk] = [directory.path(''), directory.path('disk.qcow2')];
  const random = seededRandom(seed);
  for (const [name, pattern] of [
    ['a.qcow2', 1],
    ['b.qcow2', 2],
  ] as const) {
    await qemuImg('create', '-q', '-f', 'qcow2', directory.path(name), sizeText);
    await qemuIo(directory.path(name), `write -P ${pattern} 0 1536k`);
  }
  const expected = await readAll(directory.path('a.qcow2'), folder);
  for (let round = 1; round <= rounds; round += 1) {
    await fs.rm(disk, { force: true });
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4k', '-b', 'a.qcow2', '-F', 'qcow2', disk);
    await live('rebase', folder, 1, 3, random() * 60);
    assert.deepEqual(await readAll(disk, folder), expected, `round ${round}`);
    await assertNoWorseThanLeaks(disk);
  }
});

describe('whoever reads a base during commits', { skip }, () => {
  for (const base of ['base.qcow2', 'base.raw']) {
    test(`sees ${base} old or new, each time`, async (t) => {
      await using directory = await imageDirectory();
      const [folder, path] = [directory.path(''), directory.path(base)];
      await qemuImg('create', '-q', '-f', base.endsWith('qcow2') ? 'qcow2' : 'raw', path, '256k');
      await qemuIo(path, 'write -P 1 0 256k');
      await using early = await openPath(path);
      const life = live(base, folder, 1, 30);
      let isOver = false;
      const ended = life.finally(() => {
        isOver = true;
      });
      const seen = new Set<number>();
      let reads = 0;
      for (; !isOver || reads < 1000; reads += 1) {
        seen.add(versionIn(await readAll(path, folder), `read ${reads}`));
        if (reads % 200 === 0) {
          await qemuImg('convert', '-O', 'raw', path, directory.path('read.raw'));
          seen.add(versionIn(await fs.readFile(directory.path('read.raw')), `read ${reads} by qemu-img`));
        }
        // Lets the end of the worker be heard of.
        await setTimeout(0);
      }
      const { lines } = await ended;
      assert.equal(lines.filter(([word]) => word === 'done').length, 30, 'no reader is in the way');
      assert.ok(seen.size > 3);
      assert.equal(versionIn(await contentOf(early), 'who had it open before'), 1);
      t.diagnostic(`${reads} reads saw ${seen.size} versions, and never some of two`);
    });
  }
});
