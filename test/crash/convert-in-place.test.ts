import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { assertEqualBytes, contentOf, pattern } from '../../src/conformance/device-content.ts';
import { randomBelow, seededRandom } from '../../src/filter/seeded-random.ts';
import { openFileDisk } from '../../src/image/file-disk.ts';
import { assertClean } from '../interop/qemu-images.ts';
import { skipWithout } from '../interop/require-tool.ts';

const program = fileURLToPath(new URL('in-place-worker.ts', import.meta.url));
/** A hundred take minutes on a small machine: `VARVE_KILLS=100 node --test test/crash/convert-in-place.test.ts`. */
const killCount = Number(process.env.VARVE_KILLS ?? 12);
const seed = Date.now() % 2 ** 31;

/** A disk with data, zeros that are written and holes, of a size that is no multiple of a cluster. */
function someDisk(): Buffer {
  const disk = Buffer.alloc(7 * 2 ** 20 + 512 * 77);
  disk.set(pattern(2_600_000, 1), 0);
  disk.set(pattern(900_000, 2), 3 * 2 ** 20 + 1000);
  disk.set(pattern(100_000, 3), disk.length - 100_000);
  return disk;
}

/** A directory for a conversion that dies at a step, over and over. */
function workplace(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'varve-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const env = { ...process.env, NODE_COMPILE_CACHE: join(directory, 'compiled') };
  const path = join(directory, 'disk');
  return {
    path,
    /** Whether it ended. */
    async convert(to: string, killAt: number, room: string, spool = ''): Promise<boolean> {
      const child = spawn(process.execPath, [program, path, to, String(killAt), room, spool], { env, stdio: 'pipe' });
      const ends = [text(child.stdout), text(child.stderr), once(child, 'close')] as const;
      const [, errors, [, signal]] = await Promise.all(ends);
      assert.equal(errors, '');
      return signal !== 'SIGKILL';
    },
    async requireContent(format: string, content: Uint8Array, when: string): Promise<void> {
      assert.equal(existsSync(`${path}.converting`), false);
      await using disk = await openFileDisk(path, { format });
      assertEqualBytes(await contentOf(disk.device), content, `as ${format}, ${when}`);
    },
  };
}

test(`a conversion in place that is killed ${killCount} times loses nothing`, {
  skip: skipWithout('qemu-img'),
}, async (t) => {
  t.diagnostic(`seed ${seed}`);
  const random = seededRandom(seed);
  const { convert, path, requireContent } = workplace(t);
  const content = someDisk();
  writeFileSync(path, content);
  let kills = 0;
  for (let to = 'qcow2'; kills < killCount; to = to === 'qcow2' ? 'raw' : 'qcow2') {
    // Wrapping logs some nine steps, and starts again; moving step by step logs more, and goes on.
    const [steps, room] = to === 'qcow2' ? [14, ''] : [30, '3500000'];
    while (!(await convert(to, 1 + randomBelow(random, steps), room))) kills += 1;
    if (to === 'qcow2') await assertClean(path);
    await requireContent(to, content, `after ${kills} kills`);
    if (to === 'raw') assert.equal(readFileSync(path).length, content.length);
  }
});

const otherFileSystem = '/dev/shm';
const hasOther = existsSync(otherFileSystem) && statSync(otherFileSystem).dev !== statSync(tmpdir()).dev;

test('a conversion by spool that is killed at each of its steps loses nothing', {
  skip: hasOther ? false : `${otherFileSystem} is no file system of its own here`,
}, async (t) => {
  const { convert, path, requireContent } = workplace(t);
  const spool = mkdtempSync(join(otherFileSystem, 'varve-'));
  t.after(() => rmSync(spool, { recursive: true }));
  const content = someDisk();
  for (let killAt = 1; ; killAt += 1) {
    writeFileSync(path, content);
    const ended = await convert('vmdk', killAt, '1000000', spool);
    if (!ended) assert.ok(await convert('vmdk', 0, '1000000', spool));
    await requireContent('vmdk', content, `killed at step ${killAt}`);
    if (ended) return assert.ok(killAt > 5, `only ${killAt} steps`);
  }
});
