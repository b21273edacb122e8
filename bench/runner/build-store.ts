import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlockDevice } from '../../src/block/block-device.ts';
import { ingestDevice } from '../../src/store/ingest-device.ts';
import { openStore, type Store } from '../../src/store/store.ts';

/** A memory file system, where there is one: a store with thousands of snapshots syncs ten thousands of times. */
const quickDirectory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Makes a store at `path` with what `fill` does to it: in memory first, and then copied to where it is measured. */
export async function buildStore(path: string, fill: (store: Store) => Promise<void>): Promise<void> {
  const scratch = mkdtempSync(join(quickDirectory, 'varve-bench-'));
  try {
    await using store = await openStore(join(scratch, 'store'), { create: true });
    await fill(store);
    await store[Symbol.asyncDispose]();
    cpSync(join(scratch, 'store'), path, { recursive: true });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Brings a device's content in as an image or, of an image that is there, as the next snapshot. */
export async function addSnapshot(store: Store, name: string, device: BlockDevice): Promise<void> {
  await using session = store.beginIngest(`import ${name}`);
  const content = await ingestDevice(session, device, {});
  const note = { message: 'benchmark', author: 'benchmark', time: Date.now() };
  if (store.images.find(name) === undefined) store.edit.createImage(name, { ...note, content, parent: undefined });
  else store.edit.addSnapshot(name, { ...note, content, parent: store.images.resolve(name) });
}

/** Gives an image `count` snapshots of what its newest one holds. */
export function repeatSnapshots(store: Store, name: string, count: number): void {
  for (let index = 0; index < count; index += 1) {
    store.edit.repeatNewest(name, { message: `number ${index}`, author: 'benchmark', time: Date.now() });
  }
}
