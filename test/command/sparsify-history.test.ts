import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { pattern } from '../../src/conformance/device-content.ts';
import { openStore } from '../../src/store/store.ts';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { Workplace } from './varve.ts';

const mebibyte = 2 ** 20;
const skip = skipWithout('mke2fs', 'e2fsck', 'debugfs', 'qemu-img');

/** An image of an ext4 of 64 MiB with three snapshots: of 10 MiB that are there, that are deleted, and that were there between. */
async function makeHistory(t: TestContext): Promise<{ place: Workplace; disk: string }> {
  const place = new Workplace(t);
  const disk = join(place.directory, 'disk.raw');
  const put = (name: string, seed: number, size: number) => {
    const path = join(place.directory, name);
    fs.writeFileSync(path, pattern(size * mebibyte, seed));
    return run('debugfs', ['-w', '-R', `write ${path} ${name}`, disk]);
  };
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', disk, '64M']);
  await put('kept', 1, 3);
  await put('first', 2, 10);
  await place.varve('import', './disk.raw', 'web', '--message', 'one');
  await run('debugfs', ['-w', '-R', 'rm first', disk]);
  await place.varve('import', './disk.raw', 'web', '--update', '--message', 'two');
  await put('second', 3, 12);
  await run('debugfs', ['-w', '-R', 'rm second', disk]);
  await place.varve('import', './disk.raw', 'web', '--update', '--message', 'three');
  await place.varve('tag', 'web@2', 'golden');
  await place.varve('describe', 'web@3', '--message', 'the third');
  return { place, disk };
}

/** What a snapshot says of itself and keeps, and its content. */
async function snapshotsOf(place: Workplace) {
  const log: { id: string; parent: string | null; root: string; dataLength: number }[] = await place.json('log', 'web');
  return log.map(({ id, parent, root, dataLength, ...kept }) => ({ id, parent, root, dataLength, kept }));
}

describe('varve sparsify --history', { skip }, () => {
  test('rewrites every snapshot, keeps what is said of each, and gives back what nothing needs', async (t) => {
    const { place, disk } = await makeHistory(t);
    const before = await snapshotsOf(place);
    const stored = (await place.json('status')).packBytes;
    const printed = await place.varve('sparsify', '--history', 'web');
    assert.match(
      printed,
      /^Trimming 0 B of web@1 …\nTrimming 9.9 MiB of web@2 …\nTrimming 11.9 MiB of web@3 …\n2 snapshots of web rewritten\.\nThe store took /,
    );
    const after = await snapshotsOf(place);
    assert.deepEqual(
      after.map(({ kept }) => kept),
      before.map(({ kept }) => kept),
    );
    const [third, second, first] = after;
    assert.deepEqual(first, before[2]);
    assert.deepEqual([third?.parent, second?.parent], [second?.id, first?.id]);
    assert.notEqual(second?.id, before[1]?.id);
    assert.ok(before[1]!.dataLength - second!.dataLength > 9 * mebibyte);
    // The first snapshot still has what the second deleted, the third alone had the other 12 MiB.
    const freed = stored - (await place.json('status')).packBytes;
    assert.ok(freed > 10 * mebibyte, `${freed} bytes`);
    assert.match(await place.varve('verify'), /all is well/);
    for (const number of [1, 2, 3]) {
      await place.varve('export', `web@${number}`, 'out.raw', '--force');
      execFileSync('e2fsck', ['-fn', join(place.directory, 'out.raw')], { stdio: 'pipe' });
      const kept = execFileSync('debugfs', ['-R', 'cat kept', join(place.directory, 'out.raw')], {
        ...{ stdio: 'pipe', maxBuffer: 64 * mebibyte },
      });
      assert.ok(kept.equals(pattern(3 * mebibyte, 1)));
    }
    const out = join(place.directory, 'out.raw');
    assert.ok(fs.statSync(out).blocks * 512 < fs.statSync(disk).blocks * 512 - 10 * mebibyte);
    assert.equal(
      (await place.varve('sparsify', '--history', 'web')).split('\n').at(-1),
      'Nothing to free in the history of web.',
    );
    await place.varve('import', './disk.raw', 'web', '--update');
    fs.rmSync(join(place.store, 'catalog.sqlite'));
    await place.varve('verify', '--rebuild');
    assert.deepEqual((await snapshotsOf(place)).slice(1), after);
  });

  test('only says with --dry-run what it would do, and leaves other images as they are', async (t) => {
    const { place } = await makeHistory(t);
    await place.varve('clone', 'web@3', 'copy');
    const before = place.tree();
    const { unusedStoredLength } = await place.json('sparsify', '--history', 'web', '--dry-run');
    assert.ok(unusedStoredLength > 18 * mebibyte && unusedStoredLength < 22 * mebibyte, `${unusedStoredLength} bytes`);
    const same = ([path]: [string, string]) => !path.includes('catalog.sqlite');
    assert.deepEqual(Object.entries(place.tree()).filter(same), Object.entries(before).filter(same));
    const { madeFrom, ...copy } = await place.json('info', 'copy');
    assert.equal(madeFrom, 'web@3');
    await place.varve('sparsify', '--history', 'web');
    // What it was made from is gone, as after a removal.
    assert.deepEqual(await place.json('info', 'copy'), { ...copy, madeFrom: null });
    await place.varve('verify');
    await place.varve('export', 'copy', 'out.raw');
    execFileSync('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', 'out.raw', 'disk.raw'], {
      ...{ cwd: place.directory, stdio: 'pipe' },
    });
  });

  test('leaves a file system alone that was not unmounted, and names it', async (t) => {
    const { place, disk } = await makeHistory(t);
    await run('debugfs', ['-w', '-R', 'set_super_value state 0', disk]);
    await place.varve('import', './disk.raw', 'web', '--update');
    const before = await snapshotsOf(place);
    const printed = await place.varve('sparsify', '--history', 'web');
    assert.match(
      printed,
      /\nLeaving \/dev\/sda of web@4 alone: it holds a file system \(ext4\) that was not unmounted/,
    );
    const after = await snapshotsOf(place);
    assert.equal(after[0]?.root, before[0]?.root);
    assert.equal(after[0]?.parent, after[1]?.id);
  });

  test('refuses an image in use, with uncommitted changes or in a transaction, and the name of a snapshot', async (t) => {
    const { place } = await makeHistory(t);
    const before = place.tree();
    const command = `'${process.cwd()}/varve' sparsify --history web; echo status $? >&2`;
    {
      await using store = await openStore(place.store);
      await using _disk = await store.openSnapshot(store.images.resolve('web@2'));
      const { status, stderr } = await place.run(['sparsify', '--history', 'web']);
      assert.equal(status, 6);
      assert.match(stderr, /varve: web is in use: read web@2 \(process \d+\)/);
    }
    const writing = await place.run(['serve', 'web', '--run', command]);
    assert.match(writing.stderr, /varve: web is in use: serve web .*\nstatus 6/);
    const transaction = (await place.varve('begin', 'web')).split('\n')[0]!.match(/tx-\w+/)![0];
    assert.match(
      (await place.run(['sparsify', '--history', 'web'])).stderr,
      new RegExp(`transaction ${transaction}: `),
    );
    await place.varve('rollback', transaction);
    assert.match((await place.run(['sparsify', '--history', 'web@2'])).stderr, /names a snapshot; name an image/);
    assert.match((await place.run(['sparsify', '--history', './disk.raw'])).stderr, /is no image of the store/);
    const same = ([path]: [string, string]) => path.startsWith(join(place.store, 'snapshots'));
    assert.deepEqual(Object.entries(place.tree()).filter(same), Object.entries(before).filter(same));
  });
});
