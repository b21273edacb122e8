import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { memoryDevice } from '../block/memory-device.ts';
import { type Content, ingestDevice } from './ingest-device.ts';
import { isSettled, type SourceIdentity, SourceTable, sameSource } from './source-table.ts';
import { openStore, type Store } from './store.ts';

const source: SourceIdentity = {
  device: '65024',
  inode: '18446744073709551615',
  size: '1048576',
  modified: '1700000000123456789',
  changed: '1700000000987654321',
};

describe('SourceTable', () => {
  let folder: string;
  let store: Store;
  let content: Content;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'varve-'));
    store = await openStore(join(folder, 'store'), { create: true });
    await using session = store.beginIngest('test');
    content = await ingestDevice(session, memoryDevice(Buffer.alloc(1_048_576, 'x')), {});
    store.edit.createImage('web', { content, parent: undefined, message: '', author: '', time: 0 });
  });

  after(async () => {
    await store[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  test('a file is known by its whole identity and format, and by nothing less', () => {
    const sources = new SourceTable(store.catalog);
    sources.remember(source, 'raw', content.root);
    const found = sources.find(source, 'raw');
    assert.equal(Buffer.compare(found?.root as Uint8Array, content.root), 0);
    assert.equal(found?.size, 1_048_576);
    assert.deepEqual(found?.statistics, { ...content.statistics, addedLength: 0, storedLength: 0 });
    assert.equal(sources.find(source, 'qcow2'), undefined);
    for (const field of Object.keys(source) as (keyof SourceIdentity)[]) {
      const other = { ...source, [field]: `${source[field].slice(0, -1)}0` };
      assert.equal(sources.find(other, 'raw'), undefined, field);
      assert.equal(sameSource(source, other), false, field);
    }
    assert.equal(sameSource(source, { ...source }), true);
  });

  test('what a file held last counts', () => {
    const sources = new SourceTable(store.catalog);
    sources.remember(source, 'raw', content.root);
    sources.remember({ ...source, changed: '1700000005000000000' }, 'raw', content.root);
    assert.equal(sources.find(source, 'raw'), undefined);
  });

  test('a content that no snapshot names is not trusted', () => {
    const sources = new SourceTable(store.catalog);
    sources.remember(source, 'raw', content.root);
    store.edit.removeImage('web');
    assert.equal(sources.find(source, 'raw'), undefined);
  });

  test('a file that changed in the last two seconds may still be changing', () => {
    assert.equal(isSettled(source, 1_700_000_002_000), false);
    assert.equal(isSettled(source, 1_700_000_002_987), false);
    assert.equal(isSettled(source, 1_700_000_002_988), true);
  });
});
