import type { BlockDevice } from '../../block/block-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import type { DiskBytes } from '../../partition/placed-partition.ts';
import { type MappedRun, mappedDevice } from '../../volume/mapped-device.ts';

/** What a disk is changed in; each is 512 bytes long. */
const sectorLength = 512;

/** Sectors of a disk that are to be others than beneath. */
export class EditedSectors {
  readonly #device: BlockDevice;
  readonly #sectors = new Map<number, Uint8Array>();

  constructor(device: BlockDevice) {
    this.#device = device;
  }

  /** Of the disk, in bytes. */
  get size(): number {
    return this.#device.size;
  }

  /** A copy of bytes as they are to be. The caller has bounded `length`; both are multiples of 512. */
  async read(offset: number, length = sectorLength): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    await this.#device.read(bytes, offset);
    for (let start = 0; start < length; start += sectorLength) {
      const sector = this.#sectors.get(offset + start);
      if (sector !== undefined) bytes.set(sector, start);
    }
    return bytes;
  }

  /** Has other bytes stand at a place; it and their length are multiples of 512. */
  write({ bytes, offset }: DiskBytes): void {
    for (let start = 0; start < bytes.length; start += sectorLength) {
      this.#sectors.set(offset + start, Uint8Array.from(bytes.subarray(start, start + sectorLength)));
    }
  }

  /** `device` with these sectors in place of its own. */
  over(device: BlockDevice, name: string): BlockDevice {
    const runs: MappedRun[] = [];
    let end = 0;
    const takeTo = (offset: number) => {
      if (offset > end) runs.push({ length: offset - end, areas: [{ device, offset: end }] });
    };
    for (const { bytes, offset } of this.#joined()) {
      takeTo(offset);
      runs.push({ length: bytes.length, areas: [{ device: memoryDevice(bytes), offset: 0 }] });
      end = offset + bytes.length;
    }
    takeTo(device.size);
    return mappedDevice(runs, name);
  }

  /** Those that stand one behind the other in one piece. */
  #joined(): DiskBytes[] {
    const pieces: { readonly offset: number; readonly parts: Uint8Array[] }[] = [];
    for (const [offset, bytes] of [...this.#sectors].sort(([one], [other]) => one - other)) {
      const last = pieces.at(-1);
      if (last !== undefined && last.offset + last.parts.length * sectorLength === offset) last.parts.push(bytes);
      else pieces.push({ offset, parts: [bytes] });
    }
    return pieces.map(({ offset, parts }) => ({ offset, bytes: Buffer.concat(parts) }));
  }
}
