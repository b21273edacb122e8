import type { XfsVolume } from '../volume.ts';

/** The log is counted in these, in bytes. */
export const sectorSize = 512;
const headerMagic = 0xfeed_babe;

/** The sectors of the log, which is a ring: after the last one comes the first. */
export class LogRing {
  readonly volume: XfsVolume;
  readonly sectorCount: number;
  readonly #offset: number;

  /** @throws VarveError `CORRUPT` where the log is not on the disk */
  constructor(volume: XfsVolume) {
    const { logStart, logBlocks, blockSize } = volume.superblock;
    this.volume = volume;
    this.#offset = volume.blockAt(logStart, logBlocks, 'the log') * blockSize;
    this.sectorCount = (logBlocks * blockSize) / sectorSize;
  }

  /** `count` sectors from number `index` on; before the first, 0, are the last ones. */
  async read(index: number, count: number): Promise<DataView> {
    const bytes = new Uint8Array(count * sectorSize);
    const first = (index + this.sectorCount) % this.sectorCount;
    const before = Math.min(count, this.sectorCount - first);
    await this.#fill(bytes.subarray(0, before * sectorSize), first);
    if (before < count) await this.#fill(bytes.subarray(before * sectorSize), 0);
    return new DataView(bytes.buffer);
  }

  /** The sector after the last one that was written: from there on sectors are of the cycle before, or empty. */
  async head(): Promise<number> {
    const first = cycleOf(await this.read(0, 1));
    let low = 0;
    let high = this.sectorCount;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (cycleOf(await this.read(middle, 1)) === first) low = middle;
      else high = middle;
    }
    return high;
  }

  async #fill(target: Uint8Array, sector: number): Promise<void> {
    await this.volume.read(target, this.#offset + sector * sectorSize, 'the log');
  }
}

/** Whether a sector is the header of a record. */
export function isRecordHeader(sector: DataView): boolean {
  return sector.getUint32(0) === headerMagic;
}

function cycleOf(sector: DataView): number {
  return isRecordHeader(sector) ? sector.getUint32(4) : sector.getUint32(0);
}
