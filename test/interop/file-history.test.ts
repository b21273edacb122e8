import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { assertEqualBytes } from '../../src/conformance/device-content.ts';
import { findChildren } from '../../src/image/file-history/children.ts';
import { commitOverlay } from '../../src/image/file-history/commit-overlay.ts';
import { type FileLogEntry, fileLog } from '../../src/image/file-history/file-log.ts';
import { flattenFile, rebaseFile } from '../../src/image/file-history/rebase-file.ts';
import { removeFiles } from '../../src/image/file-history/remove-file.ts';
import { restoreFile } from '../../src/image/file-history/restore-file.ts';
import { snapshotFile } from '../../src/image/file-history/snapshot-file.ts';
import { assertClean, type ImageDirectory, imageDirectory, qemuImg, qemuIo } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');
const day = new Date(2026, 10, 20, 23, 59).getTime();

/** The names of a chain's files, as qemu-img follows it. */
async function chainOf(path: string): Promise<string[]> {
  const chain: { filename: string }[] = JSON.parse(await qemuImg('info', '--backing-chain', '--output=json', path));
  return chain.map(({ filename }) => basename(filename));
}

async function create(directory: ImageDirectory, name: string, ...commands: string[]): Promise<string> {
  const path = directory.path(name);
  await qemuImg('create', '-q', '-f', name.endsWith('.qcow2') ? 'qcow2' : 'raw', path, '4M');
  if (commands.length > 0) await qemuIo(path, ...commands);
  return path;
}

async function contentOf(path: string): Promise<Buffer> {
  const raw = `${path}.content`;
  await qemuImg('convert', '-O', 'raw', path, raw);
  const content = await fs.readFile(raw);
  await fs.rm(raw);
  return content;
}

/** A disk in one directory that builds on a file in another. */
async function apart(directory: ImageDirectory): Promise<{ base: string; disk: string }> {
  for (const name of ['secret', 'own']) await fs.mkdir(directory.path(name));
  const base = await create(directory, 'secret/base.qcow2', 'write -P 1 0 1M');
  const disk = directory.path('own/disk.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', disk);
  return { base, disk };
}

/** `disk_2026-11-20.qcow2 unchanged` for each base. */
function states(entries: readonly FileLogEntry[]): string[] {
  return entries.slice(1).map(({ name, kind, state }) => `${name} ${state ?? kind}`);
}

describe('a snapshot of a disk file', { skip }, () => {
  test('keeps what it holds under a name with the date, and puts an overlay in its place', async () => {
    await using directory = await imageDirectory();
    const disk = await create(directory, 'disk.qcow2', 'write -P 1 0 1M');
    await fs.chmod(disk, 0o660);
    const before = await contentOf(disk);
    for (const name of ['disk_2026-11-20.qcow2', 'disk_2026-11-20_2.qcow2', 'disk_2026-11-20_3.qcow2']) {
      const made = await snapshotFile(disk, { time: day });
      assert.deepEqual(made, { base: directory.path(name), overlay: disk, format: 'qcow2', size: 4 * 2 ** 20 });
      assert.equal((await fs.stat(made.base)).mode & 0o777, 0o440, 'the base is read-only');
      assert.equal((await fs.stat(disk)).mode & 0o777, 0o660);
      await assertClean(disk);
      assertEqualBytes(await contentOf(disk), before, name);
    }
    assert.deepEqual(await chainOf(disk), [
      ...['disk.qcow2', 'disk_2026-11-20_3.qcow2', 'disk_2026-11-20_2.qcow2', 'disk_2026-11-20.qcow2'],
    ]);
    const [{ 'backing-filename': name, 'backing-filename-format': format }] = JSON.parse(
      await qemuImg('info', '--backing-chain', '--output=json', disk),
    );
    assert.deepEqual([name, format], ['disk_2026-11-20_3.qcow2', 'qcow2'], 'relative and typed');
    assert.deepEqual((await fs.readdir(directory.path(''))).length, 4, 'nothing else is there');
  });

  test('can be moved with its chain', async () => {
    await using directory = await imageDirectory();
    const disk = await create(directory, 'disk.qcow2', 'write -P 1 0 1M');
    await snapshotFile(disk);
    const moved = directory.path('elsewhere');
    await fs.mkdir(moved);
    for (const name of await fs.readdir(directory.path(''))) {
      if (name.endsWith('.qcow2')) await fs.rename(directory.path(name), join(moved, name));
    }
    await qemuIo(join(moved, 'disk.qcow2'), 'read -P 1 0 1M');
    assert.match(states(await fileLog(join(moved, 'disk.qcow2')))[0]!, / unchanged$/);
  });

  test('takes the name that is given, and overwrites nothing', async () => {
    await using directory = await imageDirectory();
    const disk = await create(directory, 'disk.qcow2', 'write -P 1 0 1M');
    const { base } = await snapshotFile(disk, { as: 'installed.qcow2' });
    assert.equal(base, directory.path('installed.qcow2'));
    const bytes = await fs.readFile(disk);
    await assert.rejects(snapshotFile(disk, { as: 'installed.qcow2' }), { code: 'EXISTS' });
    for (const as of ['disk.qcow2', '../up.qcow2', '', '..']) {
      await assert.rejects(snapshotFile(disk, { as }), { code: 'INVALID' }, as);
    }
    assertEqualBytes(await fs.readFile(disk), bytes, 'the disk');
    assert.deepEqual((await fs.readdir(directory.path(''))).sort(), ['disk.qcow2', 'installed.qcow2']);
  });

  test('goes on where one was cut off that had given the file its second name', async () => {
    await using directory = await imageDirectory();
    const disk = await create(directory, 'disk.qcow2', 'write -P 1 0 1M');
    await fs.link(disk, directory.path('disk_2026-11-20.qcow2'));
    const { base } = await snapshotFile(disk, { time: day });
    assert.equal(base, directory.path('disk_2026-11-20.qcow2'));
    assert.deepEqual(await chainOf(disk), ['disk.qcow2', 'disk_2026-11-20.qcow2']);
  });

  test('of a raw file needs another name for its overlay', async () => {
    await using directory = await imageDirectory();
    const disk = await create(directory, 'disk.img', 'write -P 1 0 1M');
    await assert.rejects(snapshotFile(disk), { code: 'INVALID', message: /give --overlay disk\.qcow2/ });
    const made = await snapshotFile(disk, { overlay: 'disk.qcow2', time: day });
    assert.deepEqual(made.base, directory.path('disk_2026-11-20.img'));
    assert.deepEqual((await fs.readdir(directory.path(''))).sort(), ['disk.qcow2', 'disk_2026-11-20.img']);
    const [{ 'backing-filename-format': format }] = JSON.parse(
      await qemuImg('info', '--backing-chain', '--output=json', made.overlay),
    );
    assert.equal(format, 'raw');
    await qemuIo(made.overlay, 'read -P 1 0 1M', 'read -P 0 1M 3M');
    await create(directory, 'other.raw');
    await assert.rejects(snapshotFile(directory.path('other.raw'), { overlay: 'disk.qcow2' }), { code: 'EXISTS' });
    assert.ok((await fs.readdir(directory.path(''))).includes('other.raw'));
  });

  test('is refused where others build on the file', async () => {
    await using directory = await imageDirectory();
    const disk = await create(directory, 'disk.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'disk.qcow2', '-F', 'qcow2', directory.path('child.qcow2'));
    await assert.rejects(snapshotFile(disk), { code: 'BUSY', message: /child\.qcow2 builds on it/ });
  });

  test('is as quick for a large disk', async () => {
    await using directory = await imageDirectory();
    const disk = directory.path('disk.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', disk, '100T', '-o', 'cluster_size=2M');
    const { overlay } = await snapshotFile(disk);
    assert.ok((await fs.stat(overlay)).size < 20 * 2 ** 20);
    await assertClean(overlay);
  });
});

describe('the log of a disk file', { skip }, () => {
  test('tells messages and dates, and that bases are what they were', async () => {
    await using directory = await imageDirectory();
    const disk = await create(directory, 'disk.qcow2', 'write -P 1 0 1M');
    await snapshotFile(disk, { time: day, message: 'Installed\n\nand ready', author: 'me' });
    await qemuIo(disk, 'write -P 2 0 1M');
    await snapshotFile(disk, { time: day + 1, message: 'Größer' });
    const entries = await fileLog(disk);
    assert.deepEqual(
      entries.map(({ name, message, kind }) => [name, message, kind]),
      [
        ['disk.qcow2', '', 'disk'],
        ['disk_2026-11-20_2.qcow2', 'Größer', 'base'],
        ['disk_2026-11-20.qcow2', 'Installed\n\nand ready', 'base'],
      ],
    );
    assert.deepEqual([entries[2]!.time, entries[2]!.author], [day, 'me']);
    assert.deepEqual(states(entries), ['disk_2026-11-20_2.qcow2 unchanged', 'disk_2026-11-20.qcow2 unchanged']);
    assert.equal((await fileLog(disk, { maxCount: 2 })).length, 2);
  });

  test('tells that a base was changed, also by somebody who sets its time back', async () => {
    await using directory = await imageDirectory();
    const disk = await create(directory, 'disk.qcow2', 'write -P 1 0 1M');
    const { base } = await snapshotFile(disk, { as: 'base.qcow2' });
    const { atime, mtime } = await fs.stat(base);
    await fs.chmod(base, 0o600);
    await qemuIo(base, 'write -P 2 64k 64k');
    assert.deepEqual(states(await fileLog(disk)), ['base.qcow2 changed']);
    await fs.utimes(base, atime, mtime);
    assert.deepEqual(states(await fileLog(disk)), ['base.qcow2 changed']);
    await qemuIo(base, 'write -P 1 64k 64k');
    assert.deepEqual(states(await fileLog(disk)), ['base.qcow2 unchanged'], 'all of it is what it was');
  });

  test('says unknown of a large base that was touched, and changed where a sample shows it', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('disk.raw');
    await fs.writeFile(path, Buffer.alloc(24 * 2 ** 20, 1));
    const { base, overlay } = await snapshotFile(path, { overlay: 'disk.qcow2', as: 'base.raw' });
    assert.deepEqual(states(await fileLog(overlay)), ['base.raw unchanged']);
    await fs.utimes(base, new Date(), new Date());
    assert.deepEqual(states(await fileLog(overlay)), ['base.raw unknown']);
    await fs.chmod(base, 0o600);
    await qemuIo(base, 'write -P 2 0 4k');
    assert.deepEqual(states(await fileLog(overlay)), ['base.raw changed']);
  });

  test('is not upset by what QEMU does to an overlay', async () => {
    await using directory = await imageDirectory();
    const disk = await create(directory, 'disk.qcow2', 'write -P 1 0 1M');
    await snapshotFile(disk, { as: 'base.qcow2', message: 'kept' });
    await qemuImg('resize', '-q', disk, '8M');
    await qemuImg('amend', '-o', 'lazy_refcounts=on', disk);
    await qemuImg('snapshot', '-c', 'inside', disk);
    await qemuIo(disk, 'write -P 3 0 4M');
    const entries = await fileLog(disk);
    assert.deepEqual(states(entries), ['base.qcow2 unchanged']);
    assert.equal(entries[1]!.message, 'kept');
    await create(directory, 'other.qcow2');
    await qemuImg('rebase', '-u', '-b', 'other.qcow2', '-F', 'qcow2', disk);
    assert.deepEqual(states(await fileLog(disk)), ['other.qcow2 unknown']);
  });

  test('does not look into other directories unless it is allowed', async () => {
    await using directory = await imageDirectory();
    const { base, disk } = await apart(directory);
    assert.deepEqual(states(await fileLog(disk)), [`${base} not allowed`]);
    assert.deepEqual(states(await fileLog(disk, { follow: true })), ['../secret/base.qcow2 unknown']);
    assert.deepEqual(states(await fileLog(disk, { allowed: [directory.path('secret')] })), [
      '../secret/base.qcow2 unknown',
    ]);
    await fs.rm(base);
    assert.deepEqual(states(await fileLog(disk)), [`${base} missing`]);
  });

  test('refuses a ring', async () => {
    await using directory = await imageDirectory();
    const [a, b] = [await create(directory, 'a.qcow2'), await create(directory, 'b.qcow2')];
    await qemuImg('rebase', '-u', '-b', 'b.qcow2', '-F', 'qcow2', a);
    await qemuImg('rebase', '-u', '-b', 'a.qcow2', '-F', 'qcow2', b);
    await assert.rejects(fileLog(a), { code: 'CORRUPT' });
  });
});

describe('restoring a disk file', { skip }, () => {
  test('goes back, and keeps what was written since', async () => {
    await using directory = await imageDirectory();
    const disk = await create(directory, 'disk.qcow2', 'write -P 1 0 1M');
    const before = await contentOf(disk);
    await snapshotFile(disk, { as: 'first.qcow2', message: 'one' });
    await qemuIo(disk, 'write -P 2 0 1M');
    const changed = await contentOf(disk);
    const restored = await restoreFile(disk, { to: 'first.qcow2', time: day });
    assert.deepEqual(restored, {
      path: disk,
      base: directory.path('first.qcow2'),
      kept: directory.path('disk_2026-11-20.qcow2'),
    });
    assertEqualBytes(await contentOf(disk), before, 'the disk');
    assertEqualBytes(await contentOf(restored.kept!), changed, 'what was kept');
    await assertClean(disk);
    const entries = await fileLog(disk);
    assert.deepEqual([states(entries), entries[1]!.message], [['first.qcow2 unchanged'], 'one']);
    const again = await restoreFile(disk, { to: 'disk_2026-11-20.qcow2' });
    assert.equal(again.kept, undefined, 'nothing was written');
    assertEqualBytes(await contentOf(disk), changed, 'forth again');
    await qemuIo(disk, 'write -P 3 0 1M');
    assert.equal((await restoreFile(disk, { to: 'first.qcow2', discard: true })).kept, undefined);
    assertEqualBytes(await contentOf(disk), before, 'back again');
  });

  test('refuses what makes no sense, and what others build on', async () => {
    await using directory = await imageDirectory();
    const disk = await create(directory, 'disk.qcow2', 'write -P 1 0 1M');
    await snapshotFile(disk, { as: 'first.qcow2' });
    await assert.rejects(restoreFile(disk, { to: 'disk.qcow2' }), { code: 'INVALID' });
    await assert.rejects(restoreFile(disk, { to: 'nothing.qcow2' }), { code: 'NOT_FOUND' });
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'disk.qcow2', '-F', 'qcow2', directory.path('child.qcow2'));
    await assert.rejects(restoreFile(disk, { to: 'child.qcow2' }), { code: 'INVALID', message: /builds on/ });
    await assert.rejects(restoreFile(disk, { to: 'first.qcow2' }), { code: 'BUSY' });
  });

  test('brings back a disk that was removed', async () => {
    await using directory = await imageDirectory();
    const disk = await create(directory, 'disk.qcow2', 'write -P 1 0 1M');
    await snapshotFile(disk, { as: 'first.qcow2' });
    await removeFiles([disk]);
    await restoreFile(disk, { to: 'first.qcow2' });
    await qemuIo(disk, 'read -P 1 0 1M', 'write -P 2 0 4k');
  });
});

describe('another base for an overlay', { skip }, () => {
  test('leaves it what it held, whatever the bases hold', async () => {
    await using directory = await imageDirectory();
    await create(directory, 'deep.qcow2', 'write -P 9 2M 1M');
    const old = directory.path('old.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'deep.qcow2', '-F', 'qcow2', old, '3M');
    await qemuIo(old, 'write -P 1 0 1M', 'write -P 2 1M 100k');
    const other = await create(directory, 'other.qcow2', 'write -P 1 0 500k', 'write -P 7 3M 512k');
    for (const options of ['cluster_size=64k', 'cluster_size=4k', 'extended_l2=on', 'compat=0.10']) {
      const disk = directory.path('disk.qcow2');
      await fs.rm(disk, { force: true });
      await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, '-b', 'old.qcow2', '-F', 'qcow2', disk, '4M');
      await qemuIo(disk, 'write -P 5 300k 10k', 'write -z 1500k 10k');
      const before = await contentOf(disk);
      const { copiedLength } = await rebaseFile(disk, other);
      assert.ok(copiedLength > 0 && copiedLength < 3 * 2 ** 20, String(copiedLength));
      await assertClean(disk);
      assertEqualBytes(await contentOf(disk), before, `rebased, ${options}`);
      assert.deepEqual(await chainOf(disk), ['disk.qcow2', 'other.qcow2']);
      assert.deepEqual(states(await fileLog(disk)), ['other.qcow2 unchanged']);
      await flattenFile(disk);
      await assertClean(disk);
      assertEqualBytes(await contentOf(disk), before, `flattened, ${options}`);
      assert.deepEqual(await chainOf(disk), ['disk.qcow2']);
    }
  });

  test('can be given to a disk that has none', async () => {
    await using directory = await imageDirectory();
    const base = await create(directory, 'base.qcow2', 'write -P 1 0 1M');
    const disk = await create(directory, 'disk.qcow2', 'write -P 2 512k 64k');
    const before = await contentOf(disk);
    await rebaseFile(disk, base);
    assertEqualBytes(await contentOf(disk), before, 'the disk');
    assert.deepEqual(await chainOf(disk), ['disk.qcow2', 'base.qcow2']);
  });

  test('may be told of by name only', async () => {
    await using directory = await imageDirectory();
    const base = await create(directory, 'base.qcow2', 'write -P 1 0 1M');
    const disk = directory.path('disk.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', disk);
    await fs.rename(base, directory.path('moved.qcow2'));
    assert.equal((await rebaseFile(disk, directory.path('moved.qcow2'), { unsafe: true })).copiedLength, 0);
    await qemuIo(disk, 'read -P 1 0 1M');
    assert.deepEqual(await chainOf(disk), ['disk.qcow2', 'moved.qcow2']);
    await assert.rejects(rebaseFile(directory.path('moved.qcow2'), disk), { code: 'INVALID' });
    await assert.rejects(rebaseFile(disk, disk), { code: 'INVALID' });
  });

  test('is refused where it lies in a directory that nobody allowed', async () => {
    await using directory = await imageDirectory();
    const { disk } = await apart(directory);
    await assert.rejects(flattenFile(disk), { code: 'PERMISSION', message: /secret\/base\.qcow2/ });
    await flattenFile(disk, { allowed: [directory.path('secret')] });
    assert.deepEqual(await chainOf(disk), ['disk.qcow2']);
    await qemuIo(disk, 'read -P 1 0 1M');
  });
});

test('a commit opens no base in a directory that nobody allowed', { skip }, async () => {
  await using directory = await imageDirectory();
  const { base, disk } = await apart(directory);
  await qemuIo(disk, 'write -P 2 0 4k');
  const before = await fs.readFile(base);
  await assert.rejects(commitOverlay(disk), { code: 'PERMISSION', message: /secret\/base\.qcow2.*--allow/ });
  assertEqualBytes(await fs.readFile(base), before, 'the base');
  await commitOverlay(disk, { allowed: [directory.path('secret')] });
  await qemuIo(base, 'read -P 2 0 4k', 'read -P 1 4k 60k');
  await fs.rm(base);
  await assert.rejects(commitOverlay(disk, { follow: true }), { code: 'NOT_FOUND' });
});

test('a commit empties an overlay as it was made, and no other', { skip }, async () => {
  await using directory = await imageDirectory();
  await create(directory, 'base.qcow2');
  const disk = directory.path('disk.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4k', '-b', 'base.qcow2', '-F', 'qcow2', disk);
  await qemuIo(disk, 'write -P 2 0 4k');
  await commitOverlay(disk);
  assert.equal(JSON.parse(await qemuImg('info', '--output=json', disk))['cluster-size'], 4096);
  await qemuImg('bitmap', '--add', disk, 'backup');
  await qemuIo(disk, 'write -P 3 0 4k');
  await assert.rejects(commitOverlay(disk), { code: 'UNSUPPORTED', message: /dirty bitmaps/ });
  await qemuImg('bitmap', '--remove', disk, 'backup');
  await qemuImg('snapshot', '-c', 'inside', disk);
  await assert.rejects(commitOverlay(disk), { code: 'UNSUPPORTED', message: /snapshots/ });
  await qemuImg('snapshot', '-d', 'inside', disk);
  await commitOverlay(disk);
  await qemuIo(directory.path('base.qcow2'), 'read -P 3 0 4k');
});

test('what a machine uses is left alone', { skip }, async () => {
  await using directory = await imageDirectory();
  const disk = await create(directory, 'disk.qcow2', 'write -P 1 0 1M');
  await snapshotFile(disk, { as: 'base.qcow2' });
  const machine = spawn('qemu-io', [disk], { stdio: ['pipe', 'pipe', 'ignore'] });
  machine.stdin.write('write -P 2 0 4k\n');
  await once(machine.stdout, 'data');
  try {
    await assert.rejects(snapshotFile(disk), { code: 'BUSY' });
    await assert.rejects(restoreFile(disk, { to: 'base.qcow2' }), { code: 'BUSY' });
    await assert.rejects(commitOverlay(disk), { code: 'BUSY' });
    await assert.rejects(flattenFile(disk), { code: 'BUSY' });
    await assert.rejects(removeFiles([disk]), { code: 'BUSY' });
  } finally {
    machine.stdin.end('quit\n');
    await once(machine, 'close');
  }
  await commitOverlay(disk);
  await qemuIo(disk, 'read -P 2 0 4k');
});

describe('children', { skip }, () => {
  test('are found beside a file, and elsewhere where they are registered', async () => {
    await using directory = await imageDirectory();
    const [register, other] = [directory.path('register/files.jsonl'), directory.path('other')];
    await fs.mkdir(other);
    const base = await create(directory, 'base.qcow2');
    const near = directory.path('near.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'base.qcow2', '-F', 'qcow2', near);
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'near.qcow2', '-F', 'qcow2', directory.path('grandchild.qcow2'));
    assert.deepEqual(await findChildren(base), [near]);
    const far = join(other, 'far.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', far, '4M');
    await rebaseFile(far, base, { register, follow: true });
    assert.deepEqual(await findChildren(base, { register }), [near, far]);
    await fs.link(base, directory.path('link.qcow2'));
    assert.deepEqual(await findChildren(directory.path('link.qcow2')), [near], 'by another name of the file');
    await assert.rejects(removeFiles([base], { register }), { code: 'BUSY', message: /near\.qcow2, .*far\.qcow2/ });
    await flattenFile(far, { follow: true });
    assert.deepEqual(await findChildren(base, { register }), [near], 'the register is looked up');
    await fs.writeFile(register, 'rubbish\n{"overlay":1}\n');
    assert.deepEqual(await findChildren(base, { register }), [near]);
  });

  test('are removed before what they build on', async () => {
    await using directory = await imageDirectory();
    const base = await create(directory, 'base.qcow2');
    const [middle, top] = [directory.path('middle.qcow2'), directory.path('top.qcow2')];
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'base.qcow2', '-F', 'qcow2', middle);
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'middle.qcow2', '-F', 'qcow2', top);
    await assert.rejects(removeFiles([base, middle]), { code: 'BUSY', message: /top\.qcow2 builds on it/ });
    assert.equal((await fs.readdir(directory.path(''))).length, 3);
    await removeFiles([base, middle, top]);
    assert.deepEqual(await fs.readdir(directory.path('')), []);
  });
});
