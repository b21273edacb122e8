import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { isVarveError } from '../../src/base/varve-error.ts';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { ext4 } from '../../src/filesystem/ext4/ext4.ts';
import type { FileSystem } from '../../src/filesystem/file-system.ts';
import { skipWithout } from './require-tool.ts';
import { sourcePackage } from './source-package.ts';

/*
 * The images that e2fsprogs tests e2fsck with, each broken in a way of its own: whatever they hold, reading them ends, in
 * files or in an error with a code; and what e2fsck has repaired is read without one.
 */

/** Walks that are longer go in a circle. */
const mostNames = 300_000;
/** Larger images take too long for what they show: they hold many of the same. */
const largestImage = 40 << 20;

/** How a walk through a file system went. */
interface Walk {
  /** The content of each file that could be read, by its path. */
  readonly files: Map<string, Buffer>;
  readonly errors: string[];
}

describe('broken images of e2fsprogs', { skip: skipWithout('e2fsck') }, () => {
  test('are read as far as they can be, and entirely once they are repaired', async (t) => {
    const source = await sourcePackage({ name: 'e2fsprogs', title: 'e2fsprogs', parts: ['*/tests/f_*'] });
    if ('reason' in source) return t.skip(source.reason);
    const tests = join(source.directory, 'tests');
    const counts = { images: 0, kept: 0, readBefore: 0, different: 0, unread: [] as string[] };
    const directory = await mkdtemp(join(tmpdir(), 'varve-'));
    try {
      for (const name of fs.readdirSync(tests).sort()) {
        const packed = join(tests, name, 'image.gz');
        if (!fs.existsSync(packed)) continue;
        counts.images += 1;
        await tryImage(name, gunzipSync(fs.readFileSync(packed)), directory, counts);
      }
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
    report(t, counts);
    assert.ok(counts.images > 150);
    assert.deepEqual(counts.unread, []);
    assert.ok(counts.readBefore > counts.kept * 0.9, `${counts.readBefore} of ${counts.kept} files`);
  });
});

interface Counts {
  images: number;
  /** Files that are there after the repair, and how many of them could be read before with the same content. */
  kept: number;
  readBefore: number;
  different: number;
  /** What could not be read after the repair. */
  readonly unread: string[];
}

function report(t: TestContext, { images, kept, readBefore, different }: Counts): void {
  t.diagnostic(
    `${images} images; of ${kept} files that e2fsck kept, ${readBefore} were read before, ${different} otherwise`,
  );
}

async function tryImage(name: string, image: Buffer, directory: string, counts: Counts): Promise<void> {
  if (image.length > largestImage) return;
  const before = await walkImage(name, image);
  const path = join(directory, 'image');
  fs.writeFileSync(path, image);
  for (let round = 0; round < 2; round++) spawnSync('e2fsck', ['-fy', path], { stdio: 'pipe' });
  if (spawnSync('e2fsck', ['-fn', path], { stdio: 'pipe' }).status !== 0) return;
  const after = await walkImage(name, fs.readFileSync(path));
  counts.unread.push(...after.errors);
  for (const [file, content] of after.files) {
    if (file.startsWith('lost+found/')) continue;
    counts.kept += 1;
    const known = before.files.get(file);
    if (known === undefined) continue;
    if (known.equals(content)) counts.readBefore += 1;
    else counts.different += 1;
  }
}

async function walkImage(name: string, image: Buffer): Promise<Walk> {
  const walk: Walk = { files: new Map(), errors: [] };
  await attempt(walk, name, async () => {
    await using fileSystem = await ext4.open(memoryDevice(image), { name });
    await attempt(walk, name, () => fileSystem.usage());
    await walkTree(fileSystem, walk, name);
  });
  return walk;
}

async function walkTree(fileSystem: FileSystem, walk: Walk, name: string): Promise<void> {
  const seen = new Set([fileSystem.root]);
  const pending: [prefix: string, directory: number][] = [['', fileSystem.root]];
  let names = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [prefix, directory] = next;
    await attempt(walk, name, async () => {
      for await (const entry of fileSystem.readDirectory(directory)) {
        assert.ok(++names < mostNames, `${name}: there is no end to the names`);
        const path = `${prefix}${Buffer.from(entry.name).toString('latin1')}`;
        await attempt(walk, name, () => visit(path, entry.node));
      }
    });
  }

  async function visit(path: string, node: number): Promise<void> {
    const { kind, size } = await fileSystem.stat(node);
    await attempt(walk, name, () => fileSystem.extendedAttributes(node));
    if (kind === 'symlink') await fileSystem.readLink(node);
    if (kind === 'file') {
      const content = Buffer.alloc(Math.min(size, 1 << 20));
      await fileSystem.read(node, content, 0);
      walk.files.set(path, content);
    }
    if (kind === 'directory' && !seen.has(node)) {
      seen.add(node);
      pending.push([`${path}/`, node]);
    }
  }
}

async function attempt(walk: Walk, name: string, action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) throw new Error(`${name}: ${error}`, { cause: error });
    // Without their keys, encrypted files cannot be read.
    if (!error.message.endsWith('is encrypted')) walk.errors.push(`${name}: ${error.message}`);
  }
}
