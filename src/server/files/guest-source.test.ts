import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import { isVarveError } from '../../base/varve-error.ts';
import { pattern } from '../../conformance/device-content.ts';
import { importDisk } from '../../image/import-disk.ts';
import type { Store } from '../../store/store.ts';
import { openStore } from '../../store/store.ts';
import { diskGuests } from './disk-guests.ts';
import type { FileSource } from './file-source.ts';
import { type GuestSourceOptions, guestSource } from './guest-source.ts';
import { isMemoryFile } from './memory-file.ts';

const options = { skip: skipWithout('mke2fs') };

interface Place {
  readonly directory: string;
  readonly store: Store;
  /** Imports what `build` makes in a directory as the next snapshot of `web`. */
  importRoot(build: (root: string) => void, update?: boolean): Promise<string>;
}

async function place(t: TestContext): Promise<Place> {
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  const store = await openStore(join(directory, 'store'), { create: true });
  t.after(async () => {
    await store[Symbol.asyncDispose]();
    fs.rmSync(directory, { recursive: true });
  });
  const importRoot = async (build: (root: string) => void, update = false): Promise<string> => {
    const [root, disk] = [join(directory, 'root'), join(directory, 'disk.raw')];
    for (const path of [root, disk]) fs.rmSync(path, { recursive: true, force: true });
    for (const name of ['boot', 'etc']) fs.mkdirSync(join(root, name), { recursive: true });
    build(root);
    execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', root, disk, '16M']);
    await importDisk(store, disk, { name: 'web', update });
    return disk;
  };
  return { directory, store, importRoot };
}

const kernel = pattern(300_000, 1);

function debianLike(root: string): void {
  fs.writeFileSync(join(root, 'boot/vmlinuz-6.1'), kernel);
  fs.symlinkSync('boot/vmlinuz-6.1', join(root, 'vmlinuz'));
  fs.symlinkSync('/boot/vmlinuz-6.1', join(root, 'boot/vmlinuz'));
  fs.symlinkSync('../../../../../../../etc/passwd', join(root, 'out'));
  fs.symlinkSync('loop', join(root, 'loop'));
}

async function contentOf(source: FileSource, name: string): Promise<Buffer | undefined> {
  const file = await source.open(name);
  if (typeof file !== 'object') return undefined;
  await using held = file;
  const content = Buffer.alloc(held.size);
  await held.read(content, 0);
  return content;
}

function serve(t: TestContext, { store }: Place, more: Partial<GuestSourceOptions> = {}) {
  const source = guestSource(diskGuests({ store }), { allowed: (disk) => /^web(@\d+)?$/.test(disk), ...more });
  t.after(() => source[Symbol.asyncDispose]());
  return source;
}

test('files of a disk are served by their paths, through symlinks that stay inside it', options, async (t) => {
  const here = await place(t);
  await here.importRoot(debianLike);
  const source = serve(t, here);
  for (const name of ['web@1/boot/vmlinuz-6.1', 'web@1/boot/vmlinuz', 'web/vmlinuz', '/web@1//boot/./vmlinuz-6.1']) {
    assert.ok((await contentOf(source, name))?.equals(kernel), name);
  }
  for (const name of [
    'web@1/out',
    'web@1/boot',
    'web@1/',
    'web@1',
    'web',
    '',
    '/',
    'other@1/vmlinuz',
    'web@1/vmlinuz/x',
  ]) {
    assert.equal(await contentOf(source, name), undefined, name);
  }
  await assert.rejects(contentOf(source, 'web@1/loop'), { code: 'INVALID' });
  await assert.rejects(contentOf(source, 'web@1/../vmlinuz'), { code: 'PERMISSION' });
  await assert.rejects(contentOf(source, 'web@1/vmlinuz\0.txt'), { code: 'PERMISSION' });
  await assert.rejects(contentOf(source, 'web@9/vmlinuz'), { code: 'NOT_FOUND' });
  assert.equal(source.openCount, 1);
});

test('many who ask at once have one content in memory, and the disk closes when it is idle', options, async (t) => {
  const here = await place(t);
  await here.importRoot(debianLike);
  const source = serve(t, here, { idleMs: 10 });
  const files = await Promise.all(Array.from({ length: 30 }, () => source.open('web@1/vmlinuz')));
  const contents = new Set(files.map((file) => typeof file === 'object' && isMemoryFile(file) && file.content));
  assert.equal(contents.size, 1);
  assert.ok(Buffer.from([...contents][0] as Uint8Array).equals(kernel));
  while (source.openCount > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok((await contentOf(source, 'web@1/vmlinuz'))?.equals(kernel));
});

test('an image is served as its newest snapshot, and a snapshot stays what it is', options, async (t) => {
  const here = await place(t);
  await here.importRoot(debianLike);
  const source = serve(t, here);
  assert.ok((await contentOf(source, 'web/vmlinuz'))?.equals(kernel));
  await here.importRoot((root) => fs.writeFileSync(join(root, 'vmlinuz'), 'new'), true);
  assert.equal(String(await contentOf(source, 'web/vmlinuz')), 'new');
  assert.ok((await contentOf(source, 'web@1/vmlinuz'))?.equals(kernel));
});

test('files of disk files are served, large ones without being kept', options, async (t) => {
  const here = await place(t);
  const disk = await here.importRoot(debianLike);
  const source = serve(t, here, { allowed: (name) => name === disk, largest: 1000 });
  const file = await source.open(`${disk}/vmlinuz`);
  assert.ok(typeof file === 'object' && !isMemoryFile(file));
  const middle = Buffer.alloc(1000);
  await file.read(middle, 123_456);
  assert.ok(middle.equals(kernel.subarray(123_456, 124_456)));
  await file[Symbol.asyncDispose]();
  await assert.rejects(async () => file.read(middle, 0), TypeError);
});

test('names of any kind end in a file, in none, or in an error with a code', options, async (t) => {
  const here = await place(t);
  await here.importRoot(debianLike);
  const source = serve(t, here);
  const part = fc.constantFrom(
    'web@1',
    'web',
    '..',
    '.',
    '',
    'boot',
    'vmlinuz',
    'loop',
    'out',
    '\0',
    '%2e',
    '\\',
    'é',
    '\ud800',
  );
  const name = fc.oneof(
    fc.array(part, { maxLength: 12 }).map((parts) => parts.join('/')),
    fc.string({ maxLength: 5000 }),
  );
  await fc.assert(
    fc.asyncProperty(name, async (text) => {
      try {
        await contentOf(source, text);
      } catch (error) {
        assert.ok(isVarveError(error, 'PERMISSION', 'INVALID', 'NOT_FOUND'), String(error));
      }
    }),
    { numRuns: 300 },
  );
  assert.equal(await contentOf(source, `web@1/${'a/'.repeat(100_000)}`), undefined);
});
