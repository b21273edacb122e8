import type { MaybePromise } from '../../../block/block-device.ts';
import { runSteps, type Steps } from '../../../block/run-steps.ts';
import { alignDown, alignUp } from '../../../bytes/align.ts';
import type { ClusterData } from '../cluster-data.ts';

/** Encrypts and decrypts whole sectors of 512 bytes of clusters, in place. */
export interface ClusterCipher {
  encrypt(bytes: Uint8Array, hostOffset: number, guestOffset: number): void;
  decrypt(bytes: Uint8Array, hostOffset: number, guestOffset: number): void;
}

const sectorLength = 512;

/** Clusters that are encrypted in `data`. Ranges may start and end inside sectors. */
export function encryptedData(data: ClusterData, cipher: ClusterCipher): ClusterData {
  const sectors = new EncryptedSectors(data, cipher);
  return {
    file: data.file,
    isExternal: data.isExternal,
    isPlain: false,
    read: (target, hostOffset, guestOffset) => runSteps(sectors.read(target, hostOffset, guestOffset)),
    write: (source, hostOffset, guestOffset) => sectors.write(source, hostOffset, guestOffset),
  };
}

class EncryptedSectors {
  readonly #data: ClusterData;
  readonly #cipher: ClusterCipher;
  /** The last write, until all are done: part of a sector is written with the rest of it, which must stand still. */
  #writing: Promise<void> | undefined;

  constructor(data: ClusterData, cipher: ClusterCipher) {
    this.#data = data;
    this.#cipher = cipher;
  }

  *read(target: Uint8Array, hostOffset: number, guestOffset: number): Steps {
    const skipped = hostOffset % sectorLength;
    const length = alignUp(skipped + target.length, sectorLength);
    const isWhole = length === target.length;
    const sectors = isWhole ? target : new Uint8Array(length);
    yield* this.#readSectors(sectors, hostOffset - skipped, guestOffset - skipped);
    if (!isWhole) target.set(sectors.subarray(skipped, skipped + target.length));
  }

  write(source: Uint8Array, hostOffset: number, guestOffset: number): MaybePromise<void> {
    const run = (): MaybePromise<void> => runSteps(this.#write(source, hostOffset, guestOffset));
    const pending = this.#writing === undefined ? run() : this.#writing.then(run);
    if (pending === undefined) return undefined;
    const done: Promise<void> = pending.then(
      () => this.#forget(done),
      () => this.#forget(done),
    );
    this.#writing = done;
    return pending;
  }

  #forget(done: Promise<void>): void {
    if (this.#writing === done) this.#writing = undefined;
  }

  *#write(source: Uint8Array, hostOffset: number, guestOffset: number): Steps {
    const skipped = hostOffset % sectorLength;
    const [first, guestFirst] = [hostOffset - skipped, guestOffset - skipped];
    const sectors = new Uint8Array(alignUp(skipped + source.length, sectorLength));
    const end = skipped + source.length;
    if (skipped > 0) yield* this.#readSectors(sectors.subarray(0, sectorLength), first, guestFirst);
    const last = alignDown(end, sectorLength);
    if (end > last && (last > 0 || skipped === 0)) {
      yield* this.#readSectors(sectors.subarray(last), first + last, guestFirst + last);
    }
    sectors.set(source, skipped);
    this.#cipher.encrypt(sectors, first, guestFirst);
    yield this.#data.write(sectors, first, guestFirst);
  }

  /** The file may end inside the last sector, or before it where it is new; what is not there is zeros, encrypted or not. */
  *#readSectors(target: Uint8Array, hostOffset: number, guestOffset: number): Steps {
    const available = Math.max(0, Math.min(target.length, this.#data.file.size - hostOffset));
    target.fill(0, available);
    if (available === 0) return;
    yield this.#data.read(target.subarray(0, available), hostOffset, guestOffset);
    this.#cipher.decrypt(target, hostOffset, guestOffset);
  }
}
