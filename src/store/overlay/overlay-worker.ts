import os from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { isVarveError } from '../../base/varve-error.ts';
import type { SnapshotNote } from '../append-snapshot.ts';
import type { Snapshot } from '../image-table.ts';
import { openStore, type Store } from '../store.ts';
import { type NumberedRequest, replyTo } from './asked-worker.ts';
import { markPending, pushLayer, recordLayer, type StackOwner } from './edit-overlays.ts';
import type { Layer, PendingNote } from './overlay-table.ts';
import { storePending } from './store-pending.ts';

/** What the thread can be asked to do to a stack; each is a function of this folder. */
export type OverlayRequest =
  | { readonly kind: 'push' }
  | { readonly kind: 'mark'; readonly layerId: string; readonly note: SnapshotNote & { readonly tag?: string } }
  | { readonly kind: 'store' };

/** What each request answers. */
export interface OverlayAnswers {
  readonly push: Layer;
  readonly mark: PendingNote;
  readonly store: Snapshot | undefined;
}

interface OverlayWork extends StackOwner {
  readonly storePath: string;
  /** Whether it is to store snapshots, behind all else, or somebody waits for what it does. */
  readonly isBackground: boolean;
}

/** Tells this module, in a worker thread, that it is meant. */
const marker = 'varve overlays';

/**
 * How nice a thread is to others that stores snapshots: a guest's requests come first, whose thread would otherwise wait for
 * a processor, where there are few, as long as the scheduler lets each run.
 */
const storingNiceness = 10;

/** Starts a thread that answers each `NumberedRequest` with a `ThreadReply`, several at a time. */
export function startOverlayWorker(work: OverlayWork): Worker {
  return new Worker(new URL(import.meta.url), { workerData: { marker, ...work } });
}

async function perform(store: Store, stack: StackOwner, request: OverlayRequest): Promise<unknown> {
  if (request.kind === 'push') return pushLayer(store, stack);
  if (request.kind === 'mark') return markPending(store, request.layerId, request.note);
  return await storePending(store, stack, { packing: 'here' });
}

/**
 * Brings the record of a marked layer up to date. The mark itself is durable and answered: where the disk fails now, garbage
 * collection writes the record later (`mendOverlayRecords`), and the next request tells of the disk.
 */
function noteLayer(store: Store, layerId: string): void {
  try {
    recordLayer(store, layerId);
  } catch (error) {
    if (!isVarveError(error)) throw error;
  }
}

async function work(port: NonNullable<typeof parentPort>, { isBackground, ...given }: OverlayWork): Promise<void> {
  const { image, owner, storePath } = given;
  // Of this thread, on Linux; elsewhere it would be of the process.
  if (isBackground && process.platform === 'linux') os.setPriority(storingNiceness);
  const store = await openStore(storePath);
  port.on('message', async (message: NumberedRequest<OverlayRequest> | 'end') => {
    if (message !== 'end') {
      port.postMessage(await replyTo(message.id, () => perform(store, { image, owner }, message.request)));
      if (message.request.kind === 'mark') noteLayer(store, message.request.layerId);
      return;
    }
    try {
      await store[Symbol.asyncDispose]();
    } finally {
      port.close();
    }
  });
}

if (!isMainThread && workerData?.marker === marker) await work(parentPort!, workerData);
