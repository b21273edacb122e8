import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlockDevice } from '../../src/block/block-device.ts';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { assertEqualBytes, contentOf } from '../../src/conformance/device-content.ts';
import type { NewSnapshot } from '../../src/store/image-editor.ts';
import type { Snapshot } from '../../src/store/image-table.ts';
import { type Content, ingestDevice } from '../../src/store/ingest-device.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { type VerifyReport, verifyStore } from '../../src/store/verify-store.ts';

/** An empty folder that is removed with its content when it is disposed of. */
export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
}

/** A new store in a folder of its own; both are gone when it is disposed of. */
export interface TemporaryStore extends AsyncDisposable {
  /** Where the store is. */
  readonly path: string;
  readonly store: Store;
}

export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), 'varve-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export async function temporaryStore(): Promise<TemporaryStore> {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'store');
  const store = await openStore(path, { create: true });
  return {
    path,
    store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Brings a disk, or plain bytes, in. Until a snapshot names it, garbage collection may take it. */
export async function ingest(store: Store, disk: BlockDevice | Uint8Array): Promise<Content> {
  await using session = store.beginIngest('a test');
  return await ingestDevice(session, disk instanceof Uint8Array ? memoryDevice(disk) : disk, {});
}

/** A snapshot to be, with everything that does not matter filled in. */
export function newSnapshot(content: Content, other: Partial<NewSnapshot> = {}): NewSnapshot {
  return { content, parent: undefined, message: '', author: 'test', time: Date.UTC(2026, 0, 1), ...other };
}

/** Imports a disk as the image `name`, or as its next snapshot when there is one. */
export async function importDisk(store: Store, name: string, disk: BlockDevice | Uint8Array): Promise<Snapshot> {
  await using session = store.beginIngest(`import ${name}`);
  const content = await ingestDevice(session, disk instanceof Uint8Array ? memoryDevice(disk) : disk, {});
  if (store.images.find(name) === undefined) return store.edit.createImage(name, newSnapshot(content));
  return store.edit.addSnapshot(name, newSnapshot(content, { parent: store.images.resolve(name) }));
}

/** All of a snapshot's disk. */
export async function readSnapshot(store: Store, reference: string): Promise<Uint8Array> {
  await using device = await store.openSnapshot(store.images.resolve(reference));
  return await contentOf(device);
}

/** Fails when a snapshot's disk does not hold exactly `expected`. */
export async function assertSnapshot(store: Store, reference: string, expected: Uint8Array): Promise<void> {
  assertEqualBytes(await readSnapshot(store, reference), expected, reference);
}

/** Fails when the store has problems; what else `verifyStore` says. */
export async function assertClean(store: Store): Promise<VerifyReport> {
  const report = await verifyStore(store);
  assert.deepEqual(report.problems, []);
  return report;
}
