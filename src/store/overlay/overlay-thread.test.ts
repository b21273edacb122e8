import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { noiseDisk } from '../../../test/store/chunky-disk.ts';
import { assertClean, importDisk, temporaryStore } from '../../../test/store/temporary-store.ts';
import { collectGarbage } from '../collect-garbage.ts';
import { openStore } from '../store.ts';
import { overlayPath } from './overlay-files.ts';
import { OverlayThread } from './overlay-thread.ts';

const note = { message: 'a snapshot', author: 'test', time: Date.UTC(2026, 0, 1) };

describe('the thread that keeps overlays', () => {
  test('goes on where the record of a marked layer cannot be written, and garbage collection mends it', async () => {
    await using place = await temporaryStore();
    const { store, path } = place;
    await importDisk(store, 'web', noiseDisk(4));
    const who = { image: store.images.get('web').id, owner: '' };
    const thread = new OverlayThread(path, who);
    const { id } = await thread.ask({ kind: 'push' });
    const record = join(overlayPath(path, id), 'overlay.json');
    fs.rmSync(record);
    // A directory with a file in it cannot be replaced.
    fs.mkdirSync(join(record, 'in-the-way'), { recursive: true });
    assert.equal((await thread.ask({ kind: 'mark', layerId: id, note })).number, 2);
    assert.notEqual((await thread.ask({ kind: 'push' })).id, id);
    await thread[Symbol.asyncDispose]();
    fs.rmSync(record, { recursive: true });
    await using again = await openStore(path);
    await collectGarbage(again);
    assert.ok(fs.existsSync(record));
    await assertClean(again);
  });
});
