import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { assertEqualBytes, contentOf, pattern } from '../../src/conformance/device-content.ts';
import { randomBelow, seededRandom } from '../../src/filter/seeded-random.ts';
import { openFileDisk } from '../../src/image/file-disk.ts';
import { assertClean } from '../interop/qemu-images.ts';
import { skipWithout } from '../interop/require-tool.ts';

const program = fileURLToPath(new URL('in-place-worker.ts', import.meta.url));
/** A hundred take minutes on a small machine: `VARVE_KILLS=100 node --test test/crash/convert-in-place.test.ts`. */
const killCount = Number(process.env.VARVE_KILLS ?? 16);
const seed = Date.now() % 2 ** 31;

/** A disk with data, zeros that are written and holes, of a size that is no multiple of a cluster. */
function someDisk(): Buffer {
  const disk = Buffer.alloc(7 * 2 ** 20 + 512 * 77);
  disk.set(pattern(2_600_000, 1), 0);
  disk.set(pattern(900_000, 2), 3 * 2 ** 20 + 1000);
  disk.set(pattern(100_000, 3), disk.length - 100_000);
  return disk;
}

test(`a conversion in place that is killed ${killCount} times loses nothing`, {
  skip: skipWithout('qemu-img'),
}, async (t) => {
  t.diagnostic(`seed ${seed}`);
  const random = seededRandom(seed);
  const directory = mkdtempSync(join(tmpdir(), 'varve-'));
  try {
    const env = { ...process.env, NODE_COMPILE_CACHE: join(directory, 'compiled') };
    /** Runs a conversion that dies at a step; 0 for never. The steps of one that ended. */
    const convert = async (path: string, to: string, killAt: number): Promise<number | undefined> => {
      const room = to === 'raw' ? ['3500000'] : [];
      const child = spawn(process.execPath, [program, path, to, String(killAt), ...room], { env, stdio: 'pipe' });
      const [output, errors, [, signal]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'close'),
      ]);
      assert.equal(errors, '');
      return signal === 'SIGKILL' ? undefined : Number(output);
    };
    const content = someDisk();
    const path = join(directory, 'disk');
    writeFileSync(path, content);
    let kills = 0;
    for (let to = 'qcow2'; kills < killCount; to = to === 'qcow2' ? 'raw' : 'qcow2') {
      // Wrapping logs some nine steps, and starts again; moving step by step logs more, and goes on.
      const steps = to === 'qcow2' ? 14 : 30;
      while ((await convert(path, to, 1 + randomBelow(random, steps))) === undefined) kills += 1;
      assert.equal(existsSync(`${path}.converting`), false);
      if (to === 'qcow2') await assertClean(path);
      await using disk = await openFileDisk(path, { format: to });
      assertEqualBytes(await contentOf(disk.device), content, `as ${to}, after ${kills} kills`);
      if (to === 'raw') assert.equal(readFileSync(path).length, content.length);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
