/** The images that the transactions of `transaction-worker.ts` change together. */
export const transactionImages: readonly string[] = ['web', 'db', 'log'];
/** Bytes of each of their disks, full of one stamp. */
const transactionDiskSize = 256 * 1024;

/** A line of the worker's output, about the transaction that fills all disks with `stamp`. */
export interface TransactionReport {
  readonly stamp: number;
  readonly name: string;
  readonly step: 'begin' | 'write' | 'flushed' | 'commit' | 'committed' | 'roll back' | 'rolled back' | 'left';
  /** When it was said, by the clock of `process.hrtime`. */
  readonly ns: number;
}

/** A disk that is full of a stamp. */
export function stampedDisk(stamp: number): Buffer {
  const disk = Buffer.alloc(transactionDiskSize);
  for (let offset = 0; offset < disk.length; offset += 4) disk.writeUInt32LE(stamp, offset);
  return disk;
}
