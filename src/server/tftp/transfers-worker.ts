import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type Doorbell, type LoopRequest, TransferLoop } from './transfer-loop.ts';

const marker = 'varve TFTP transfers';

/** Starts the thread that sends files. It takes `LoopRequest`s, and tells of each end by a `LoopAnswer`. */
export function startTransfersWorker(doorbell: Doorbell): Worker {
  // Its sockets are made past Node, which would else warn of each that it is closed.
  return new Worker(new URL(import.meta.url), { workerData: { marker, doorbell }, trackUnmanagedFds: false });
}

if (!isMainThread && parentPort !== null && (workerData as { marker?: unknown } | null)?.marker === marker) {
  const loop = new TransferLoop(parentPort, (workerData as { doorbell: Doorbell }).doorbell);
  parentPort.on('message', (request: LoopRequest) => loop.run(request));
}
