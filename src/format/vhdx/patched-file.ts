import { VarveError } from '../../base/varve-error.ts';
import {
  type BlockDevice,
  type DeviceSupport,
  type Extent,
  isResizable,
  type MaybePromise,
} from '../../block/block-device.ts';
import { IntervalSet } from '../../bytes/interval-set.ts';
import { type LoggedWrite, logSectorLength } from './log-entry.ts';

/** A file as it would be if some writes were made to it, which stay in memory. It is read only. */
export class PatchedFile implements BlockDevice {
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly #file: BlockDevice;
  /** What is not as in the file; of that, sectors are here and the rest is zeros. */
  readonly #patched = new IntervalSet();
  readonly #sectors = new Map<number, Uint8Array>();

  /**
   * The file belongs to it. Writes are of whole sectors of the log, at multiples of them, the last one first; `size` is
   * what the file has to have at least, in bytes.
   */
  constructor(file: BlockDevice, newestFirst: Iterable<LoggedWrite>, size: number) {
    this.#file = file;
    this.blockSize = file.blockSize;
    this.supports = { write: false, trim: false, zero: false, extents: file.supports.extents };
    // The last write counts, so that the ones before add no more than what is not there yet.
    for (const write of newestFirst) this.#apply(write);
    this.size = Math.max(file.size, size);
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    const pending: Promise<void>[] = [];
    const end = offset + target.length;
    for (const part of this.#patched.gaps(offset, end)) {
      const reading = this.#readFile(target.subarray(part.offset - offset, part.end - offset), part.offset);
      if (reading !== undefined) pending.push(reading);
    }
    for (const part of this.#patched.intersect(offset, end)) {
      this.#readPatched(target.subarray(part.offset - offset, part.end - offset), part.offset);
    }
    return pending.length === 0 ? undefined : Promise.all(pending).then(() => undefined);
  }

  write(): never {
    throw new VarveError('READ_ONLY', 'cannot write a file whose log is replayed in memory');
  }

  zero(): never {
    return this.write();
  }

  trim(): never {
    return this.write();
  }

  flush(): void {}

  async *extents(offset: number, length: number): AsyncGenerator<Extent> {
    let position = offset;
    const end = offset + length;
    for (const part of this.#patched.intersect(offset, end)) {
      yield* this.#fileExtents(position, part.offset);
      yield { offset: part.offset, length: part.end - part.offset, kind: 'data' };
      position = part.end;
    }
    yield* this.#fileExtents(position, end);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#file[Symbol.asyncDispose]();
  }

  /** Makes the writes to the file itself. */
  async writeTo(file: BlockDevice): Promise<void> {
    if (file.size < this.size && isResizable(file)) await file.resize(this.size);
    for (const { end, offset } of this.#patched.intersect(0, this.size)) await file.zero(offset, end - offset);
    for (const [offset, bytes] of this.#sectors) await file.write(bytes, offset);
  }

  #apply({ bytes, length, offset }: LoggedWrite): void {
    if (bytes !== undefined && !this.#patched.has(offset)) this.#sectors.set(offset, bytes);
    this.#patched.add(offset, Math.min(offset + length, Number.MAX_SAFE_INTEGER));
  }

  #readFile(target: Uint8Array, offset: number): MaybePromise<void> {
    const available = Math.max(0, Math.min(target.length, this.#file.size - offset));
    target.fill(0, available);
    return available === 0 ? undefined : this.#file.read(target.subarray(0, available), offset);
  }

  #readPatched(target: Uint8Array, offset: number): void {
    target.fill(0);
    const first = offset - (offset % logSectorLength);
    for (let sector = first; sector < offset + target.length; sector += logSectorLength) {
      const bytes = this.#sectors.get(sector);
      if (bytes === undefined) continue;
      const start = Math.max(0, offset - sector);
      const part = bytes.subarray(start, Math.min(logSectorLength, offset + target.length - sector));
      target.set(part, sector + start - offset);
    }
  }

  async *#fileExtents(offset: number, end: number): AsyncGenerator<Extent> {
    const available = Math.max(offset, Math.min(end, this.#file.size));
    if (available > offset) yield* this.#file.extents(offset, available - offset);
    if (available < end) yield { offset: available, length: end - available, kind: 'hole' };
  }
}
