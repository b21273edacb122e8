import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { parseNbdUri } from '../../src/block/nbd/nbd-address.ts';
import { openNbdDevice } from '../../src/block/nbd/nbd-device.ts';
import { contentOf } from '../../src/conformance/device-content.ts';
import { randomBelow, seededRandom } from '../../src/filter/seeded-random.ts';
import { exportDisk } from '../../src/image/export-disk.ts';
import { openImageForWriting, type TakenSnapshot } from '../../src/image/live-image.ts';
import { openDisk } from '../../src/image/open-disk.ts';
import { sharedEntry } from '../../src/server/nbd/nbd-export.ts';
import { listenNbd } from '../../src/server/nbd/nbd-server.ts';
import { hexOf } from '../../src/store/chunk.ts';
import { assertClean, importDisk, ingest, readSnapshot, temporaryStore } from '../store/temporary-store.ts';
import { skipWithout } from './require-tool.ts';

const run = promisify(execFile);
const diskSize = 16 * 2 ** 20;

/** The image `web` of a new store, of 16 MiB, served to be written. */
async function servedImage(t: TestContext) {
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  const { path, store } = stack.use(await temporaryStore());
  await importDisk(store, 'web', new Uint8Array(diskSize));
  const image = stack.use(await openImageForWriting(store, 'web'));
  image.prepare();
  const socket = join(path, '..', 'nbd.sock');
  const entry = sharedEntry({ device: image.device });
  stack.use(
    await listenNbd({ kind: 'unix', path: socket }, { exports: { list: () => [{ name: '' }], find: () => entry } }),
  );
  return { folder: join(path, '..'), store, image, socket, uri: `nbd+unix:///?socket=${socket}` };
}

test('a snapshot is the disk at one moment: of writes that follow one another it has the first ones', async (t) => {
  const { image, store, uri } = await servedImage(t);
  await using client = await openNbdDevice(parseNbdUri(uri));
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);
  const random = seededRandom(seed);
  const slots: number[] = [];
  let isWriting = true;
  /** Each begins when the one before has been answered; some overlap a block of another, and cross chunks. */
  const writing = (async () => {
    for (let stamp = 1; isWriting; stamp += 1) {
      const slot = randomBelow(random, diskSize / 512);
      slots.push(slot);
      const sector = Buffer.alloc(512);
      sector.writeUInt32LE(stamp);
      await client.write(sector, slot * 512);
    }
  })();
  const taken: { readonly snapshot: TakenSnapshot; readonly least: number; readonly most: number }[] = [];
  for (let count = 0; count < 8; count += 1) {
    await setTimeout(randomBelow(random, 60));
    const least = slots.length - 1;
    const snapshot = await image.snapshot();
    taken.push({ snapshot, least, most: slots.length });
  }
  isWriting = false;
  await writing;
  for (const { snapshot, least, most } of taken) {
    const { number } = await snapshot.stored;
    const content = Buffer.from(await readSnapshot(store, `web@${number}`));
    const last = slots.reduce((newest, slot) => Math.max(newest, content.readUInt32LE(slot * 512)), 0);
    assert.ok(last >= least && last <= most, `web@${number} ends with ${last}, and may with ${least} to ${most}`);
    const expected = Buffer.alloc(diskSize);
    for (const [index, slot] of slots.slice(0, last).entries()) expected.writeUInt32LE(index + 1, slot * 512);
    assert.equal(content.compare(expected), 0, `web@${number} has exactly the first ${last} writes`);
  }
  await assertClean(store);
});

describe('fio', { skip: skipWithout('fio') }, () => {
  test('verifies what it wrote across snapshots, and no snapshot changes meanwhile', async (t) => {
    const { folder, image, store, uri } = await servedImage(t);
    const fio = run(
      'fio',
      [
        ...['--name=verify', '--ioengine=nbd', `--uri=${uri}`, '--rw=randwrite', '--bsrange=512-64k', '--iodepth=16'],
        ...['--size=16m', '--io_size=32m', '--fsync=64', '--verify=crc32c', '--verify_fatal=1', '--randrepeat=0'],
        ...['--minimal'],
      ],
      { cwd: folder },
    );
    let isOver = false;
    const over = fio.finally(() => {
      isOver = true;
    });
    const roots = new Map<number, string>();
    for (let count = 0; count < 5 && !isOver; count += 1) {
      await setTimeout(50);
      const { stored } = await image.snapshot();
      const { number, root } = await stored;
      roots.set(number, hexOf(root));
    }
    await over;
    await (await image.snapshot()).stored;
    for (const [number, root] of roots) {
      await using device = await store.openSnapshot(store.images.resolve(`web@${number}`));
      assert.equal(hexOf((await ingest(store, device)).root), root, `web@${number}`);
    }
    assert.ok(roots.size > 0);
    await assertClean(store);
  });
});

describe('e2fsck', { skip: skipWithout('mke2fs', 'e2fsck', 'nbdcopy', 'debugfs') }, () => {
  test('finds nothing wrong with a file system in a snapshot', async (t) => {
    const { folder, image, store, uri } = await servedImage(t);
    const source = join(folder, 'ext4.raw');
    fs.mkdirSync(join(folder, 'tree'));
    for (let index = 0; index < 50; index += 1) {
      fs.writeFileSync(join(folder, 'tree', `${index}`), Buffer.alloc(index * 3000, index));
    }
    await run('mke2fs', ['-q', '-t', 'ext4', '-d', join(folder, 'tree'), source, '16M']);
    await run('nbdcopy', [source, uri]);
    await (await image.snapshot()).stored;
    await run('debugfs', ['-w', '-R', 'rm /7', source]);
    await run('nbdcopy', [source, uri]);
    await (await image.snapshot()).stored;
    for (const number of [2, 3]) {
      const target = join(folder, `web-${number}.raw`);
      await using disk = await openDisk(`web@${number}`, { store });
      await exportDisk(disk, target);
      await run('e2fsck', ['-fn', target]);
      const { stdout } = await run('debugfs', ['-R', 'ls -p /', target]);
      assert.equal(stdout.includes('/7/'), number === 2, `the file that was removed, in web@${number}`);
      assert.ok(stdout.includes('/8/'));
    }
    assert.equal(Buffer.compare(await contentOf(image.device), fs.readFileSync(source)), 0);
  });
});
