import os from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type NumberedRequest, replyTo } from '../../../store/overlay/asked-worker.ts';
import { openStore } from '../../../store/store.ts';
import { type MachineWork, performWork } from './machine-work.ts';

interface WorkerTask {
  readonly storePath: string;
  /** Whether it brings contents in, behind all else, or somebody waits for what it does. */
  readonly isBackground: boolean;
}

/** Tells this module, in a worker thread, that it is meant. */
const marker = 'varve machines';
/** As that of the thread that stores snapshots of images (`store/overlay/overlay-worker.ts`). */
const committingNiceness = 10;

/** Starts a thread that does a `MachineWork` for each request. */
export function startMachinesWorker(task: WorkerTask): Worker {
  return new Worker(new URL(import.meta.url), { workerData: { marker, ...task } });
}

async function work(port: NonNullable<typeof parentPort>, { isBackground, storePath }: WorkerTask): Promise<void> {
  // Of this thread, on Linux; elsewhere it would be of the process.
  if (isBackground && process.platform === 'linux') os.setPriority(committingNiceness);
  const store = await openStore(storePath);
  port.on('message', async (message: NumberedRequest<MachineWork> | 'end') => {
    if (message !== 'end') {
      port.postMessage(await replyTo(message.id, () => performWork(store, message.request, 'here')));
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
