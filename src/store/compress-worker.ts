import { parentPort, workerData } from 'node:worker_threads';
import { type CompressWorkerData, compressSlot } from './compress-slots.ts';

// One thread of the compress pool: a message names a slot, which is packed and named in the answer.

const { memory } = workerData as CompressWorkerData;

parentPort?.on('message', (slotIndex: number) => {
  compressSlot(memory, slotIndex);
  parentPort?.postMessage(slotIndex);
});
