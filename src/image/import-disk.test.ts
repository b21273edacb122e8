import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { assertClean, assertSnapshot, type TemporaryStore, temporaryStore } from '../../test/store/temporary-store.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { pattern } from '../conformance/device-content.ts';
import { memoryTarget } from '../conformance/memory-target.ts';
import { writableFormatNamed } from '../format/formats.ts';
import { configureLog } from '../log/log.ts';
import type { Progress } from '../log/progress.ts';
import type { ProgressChange } from '../log/sink.ts';
import { collectGarbage } from '../store/collect-garbage.ts';
import { referenceOf } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';
import { importDisk } from './import-disk.ts';

const size = 40 * 2 ** 20;

/** Calls back for each step of a progress: what a test does there happens in the middle of the work. */
function onProgress(callback: (progress: Progress, change: ProgressChange) => void): void {
  configureLog({ sinks: [{ line() {}, progress: callback, close() {} }] });
}

/** How many times something was read in, while `action` ran. */
async function readings(action: () => Promise<unknown>): Promise<number> {
  let count = 0;
  onProgress((_progress, change) => {
    if (change === 'started') count += 1;
  });
  await action();
  return count;
}

describe('importDisk', () => {
  let temporary: TemporaryStore;
  let store: Store;
  let folder: string;

  before(async () => {
    temporary = await temporaryStore();
    store = temporary.store;
    folder = join(temporary.path, '..');
  });

  afterEach(() => configureLog({}));
  after(() => temporary[Symbol.asyncDispose]());

  function file(name: string, content: Uint8Array): string {
    fs.writeFileSync(join(folder, name), content);
    return join(folder, name);
  }

  test('of a file with several disks takes the one that is named, whichever came before', async () => {
    const files = { 'a.vmdk': pattern(100_352, 1), 'b.vmdk': pattern(100_352, 2) };
    const names = Object.keys(files);
    const references = names.map((name) => `<File ovf:id="${name}" ovf:href="${name}"/>`).join('');
    const disks = names.map((name) => `<Disk ovf:diskId="disk-${name}" ovf:fileRef="${name}"/>`).join('');
    const ovf = `<Envelope><References>${references}</References><DiskSection>${disks}</DiskSection></Envelope>`;
    file('a.ovf', Buffer.from(ovf));
    for (const [name, content] of Object.entries(files)) {
      const target = memoryTarget({ seekable: true, zeroed: true });
      await writableFormatNamed('vmdk').write(memoryDevice(content), target);
      file(name, target.bytes());
    }
    execFileSync('tar', ['--format=ustar', '-cf', 'disks.ova', 'a.ovf', ...names], { cwd: folder });
    // Whatever was written this moment is not remembered.
    fs.utimesSync(join(folder, 'disks.ova'), 1000, 1000);
    await setTimeout(2100);
    for (const [name, content] of Object.entries(files)) {
      const path = join(folder, 'disks.ova');
      const { snapshot } = await importDisk(store, path, { name: `${name[0]}-disk`, member: name });
      await assertSnapshot(store, referenceOf(snapshot), content);
    }
  });

  test('makes an image, and with update its next snapshot where something changed', async () => {
    const path = file('web.raw', pattern(200_000, 1));
    const first = await importDisk(store, path, { name: 'web', author: 'me', time: 1000 });
    const { message, author, time, number, parent } = first.snapshot;
    assert.deepEqual(
      { message, author, time, number, parent, unchanged: first.unchanged },
      { message: 'Imported from web.raw', author: 'me', time: 1000, number: 1, parent: undefined, unchanged: false },
    );
    const same = await importDisk(store, path, { name: 'web', update: true, message: 'again' });
    assert.deepEqual([same.unchanged, same.snapshot.number], [true, 1]);
    const always = await importDisk(store, path, { name: 'web', update: true, always: true, tag: 'kept' });
    assert.deepEqual([always.unchanged, always.snapshot.number, always.snapshot.tags], [false, 2, ['kept']]);
    file('web.raw', pattern(300_000, 2));
    const changed = await importDisk(store, path, { name: 'web', update: true });
    assert.deepEqual([changed.unchanged, changed.snapshot.number], [false, 3]);
    assert.equal(Buffer.compare(changed.snapshot.parent as Uint8Array, always.snapshot.id), 0);
    await assertSnapshot(store, 'web@1', pattern(200_000, 1));
    await assertSnapshot(store, 'web@3', pattern(300_000, 2));
  });

  test('what stands in the way is told before anything is read', async () => {
    const nothing = join(folder, 'nothing.raw');
    const refused = (options: object, code: string, message: RegExp) =>
      assert.rejects(importDisk(store, nothing, { name: 'web', ...options }), { code, message });
    await refused({}, 'EXISTS', /an image web exists already; .*--update/);
    await refused({ name: 'nope', update: true }, 'NOT_FOUND', /no image nope to update; leave out --update/);
    await refused({ update: true, tag: 'kept' }, 'EXISTS', /web@kept exists already/);
    await refused({ update: true, tag: '7' }, 'INVALID', /cannot be a tag/);
    await refused({ name: '../web' }, 'INVALID', /cannot name an image/);
    await refused({ name: 'new' }, 'NOT_FOUND', /nothing\.raw: no such file/);
    await refused({ name: 'new', format: 'floppy' }, 'NOT_FOUND', /nothing\.raw/);
  });

  test('a file that changes while it is read is CONFLICT, and with live it is not', async () => {
    const path = file('busy.raw', pattern(size, 1));
    const change = () => onProgress((_progress, step) => step === 'advanced' && fs.appendFileSync(path, 'more'));
    change();
    const conflict = {
      code: 'CONFLICT',
      message: /cannot import busy: .*busy\.raw changed while it was read; .*--live/,
    };
    await assert.rejects(importDisk(store, path, { name: 'busy' }), conflict);
    assert.equal(store.images.find('busy'), undefined);
    await assertClean(store);
    change();
    const { snapshot } = await importDisk(store, path, { name: 'busy', live: true });
    assert.ok(snapshot.size >= size);
    configureLog({});
    onProgress((_progress, step) => step === 'advanced' && fs.rmSync(path, { force: true }));
    await assert.rejects(importDisk(store, path, { name: 'gone' }), { code: 'CONFLICT' });
  });

  test('an image that gets another snapshot meanwhile is CONFLICT', async () => {
    const path = file('race.raw', pattern(1000, 1));
    await importDisk(store, path, { name: 'race' });
    file('race.raw', pattern(1000, 2));
    onProgress((_progress, step) => {
      if (step === 'started') store.edit.repeatNewest('race', { message: 'theirs', author: '', time: 0 });
    });
    const conflict = { code: 'CONFLICT', message: /race changed meanwhile: race@2 is its newest snapshot now/ };
    await assert.rejects(importDisk(store, path, { name: 'race', update: true }), conflict);
    assert.equal(store.images.resolve('race').number, 2);
  });

  test('a stream is a disk, raw or not, and leaves no file behind', async () => {
    const content = pattern(150_000, 7);
    const { snapshot } = await importDisk(store, Readable.from([content.subarray(0, 7), content.subarray(7)]), {
      name: 'piped',
    });
    assert.equal(snapshot.message, 'Imported from standard input');
    await assertSnapshot(store, 'piped', content);
    const qcow2 = Buffer.concat([Buffer.from('QFI\xfb\0\0\0\x03', 'latin1'), Buffer.alloc(200)]);
    await assert.rejects(importDisk(store, Readable.from([qcow2]), { name: 'bad' }), {
      code: 'CORRUPT',
      message: /standard input/,
    });
    await importDisk(store, Readable.from([qcow2]), { name: 'bytes', format: 'raw' });
    await assertSnapshot(store, 'bytes', qcow2);
    assert.deepEqual(fs.readdirSync(join(temporary.path, 'tmp')), []);
  });

  test('stops on request, and leaves no image', async () => {
    const path = file('long.raw', pattern(size, 5));
    const stop = new AbortController();
    onProgress((_progress, step) => step === 'advanced' && stop.abort());
    await assert.rejects(importDisk(store, path, { name: 'long', signal: stop.signal }), { code: 'ABORTED' });
    assert.equal(store.images.find('long'), undefined);
    assert.deepEqual(store.leases.living(), []);
    await assertClean(store);
  });

  test('a file that has not changed is not read again, and one that may have changed is', async () => {
    const content = pattern(100_000, 3);
    const path = file('known.raw', content);
    // What changed a moment ago may change again without its times showing it.
    assert.equal(await readings(() => importDisk(store, path, { name: 'known1' })), 1);
    assert.equal(await readings(() => importDisk(store, path, { name: 'known2' })), 1);
    await setTimeout(2200);
    assert.equal(await readings(() => importDisk(store, path, { name: 'known3' })), 1);
    assert.equal(await readings(() => importDisk(store, path, { name: 'known4' })), 0);
    assert.equal(await readings(() => importDisk(store, path, { name: 'known4', update: true })), 0);
    assert.equal(await readings(() => importDisk(store, path, { name: 'known5', reread: true })), 1);
    await assertSnapshot(store, 'known4', content);

    const { atimeNs, mtimeNs, mtime } = fs.statSync(path, { bigint: true });
    assert.ok(atimeNs > 0n && mtimeNs > 0n);
    const other = pattern(100_000, 4);
    fs.writeFileSync(path, other);
    fs.utimesSync(path, mtime, mtime);
    assert.equal(await readings(() => importDisk(store, path, { name: 'known6' })), 1, 'with its old time');
    await assertSnapshot(store, 'known6', other);

    const replacement = file('replacement.raw', content);
    fs.renameSync(replacement, path);
    assert.equal(await readings(() => importDisk(store, path, { name: 'known7' })), 1, 'another file');
    await assertSnapshot(store, 'known7', content);
  });

  test('a file whose content the store has lost is read again', async () => {
    const path = file('lost.raw', pattern(100_000, 30));
    await setTimeout(2200);
    await importDisk(store, path, { name: 'lost' });
    store.edit.removeImage('lost');
    await collectGarbage(store);
    assert.equal(await readings(() => importDisk(store, path, { name: 'lost' })), 1);
    await assertSnapshot(store, 'lost', pattern(100_000, 30));
    await assertClean(store);
  });
});
