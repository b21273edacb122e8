/*
 * Entries of 8 bytes, big-endian:
 *
 *   L1 entry   0: none of its clusters is allocated; else where the L2 table is
 *   L2 entry   0: not allocated, the backing file shows; bit 63 clear: where the cluster is; bit 63 set, with
 *              x = 63 − cluster_bits: bits 0–(x−1) where its compressed bytes are, bits x–62 how many
 *
 * Source: QEMU's documentation of qcow version 1.
 */
import type { BlockDevice } from '../../block/block-device.ts';
import { DevicePages } from '../../block/device-pages.ts';
import { corruptImage } from '../image-errors.ts';
import type { Qcow1Header } from './header.ts';

/** A run of disk bytes of one kind; in bytes. One that is compressed ends with its cluster. */
export interface Qcow1Run {
  readonly kind: 'data' | 'compressed' | 'backing';
  readonly length: number;
  /** Where the run's first byte, or its compressed cluster's first byte, is in the file. */
  readonly hostOffset: number;
  /** How many compressed bytes there are; 0 for the other kinds. */
  readonly compressedLength: number;
}

const pageLength = 65536;

/** Finds where in an image the bytes of the disk are. */
export class Qcow1ClusterMap {
  readonly #file: BlockDevice;
  readonly #header: Qcow1Header;
  readonly #name: string;
  readonly #l1Pages: DevicePages;
  readonly #l2Tables: DevicePages;

  constructor(file: BlockDevice, header: Qcow1Header, name: string) {
    this.#file = file;
    this.#header = header;
    this.#name = name;
    this.#l1Pages = new DevicePages({ device: file, name, capacity: 16 });
    this.#l2Tables = new DevicePages({ device: file, name, capacity: 64 });
  }

  /** The run that starts at byte `offset` of the disk, at most `length` bytes. @throws VarveError `CORRUPT` */
  async lookup(offset: number, length: number): Promise<Qcow1Run> {
    const { clusterSize, l2Entries } = this.#header;
    const coverage = clusterSize * l2Entries;
    const l1Index = Math.floor(offset / coverage);
    const tableOffset = await this.#l1Entry(l1Index);
    if (tableOffset === 0) {
      let next = l1Index + 1;
      while (next * coverage < offset + length && (await this.#l1Entry(next)) === 0) next += 1;
      return absent(Math.min(length, next * coverage - offset));
    }
    const table = await this.#l2Tables.get(tableOffset, l2Entries * 8, 'L2 table');
    return this.#runIn(table, offset, length);
  }

  async #l1Entry(index: number): Promise<number> {
    const { l1Entries, l1TableOffset } = this.#header;
    const first = index - (index % (pageLength / 8));
    const length = Math.min(pageLength, (l1Entries - first) * 8);
    const page = await this.#l1Pages.get(l1TableOffset + first * 8, length, 'L1 table');
    return offsetIn(page, index - first);
  }

  #runIn(table: DataView, offset: number, length: number): Qcow1Run {
    const { clusterSize, l2Entries } = this.#header;
    const index = Math.floor(offset / clusterSize) % l2Entries;
    const skipped = offset % clusterSize;
    const isCompressed = table.getUint8(index * 8) >= 0x80;
    if (isCompressed) return this.#compressedRun(table, index, Math.min(length, clusterSize - skipped));
    const place = offsetIn(table, index);
    const count = Math.min(l2Entries - index, Math.ceil((skipped + length) / clusterSize));
    let found = 1;
    while (found < count && offsetIn(table, index + found) === (place === 0 ? 0 : place + found * clusterSize))
      found += 1;
    const runLength = Math.min(length, found * clusterSize - skipped);
    if (place === 0) return absent(runLength);
    this.#checkInFile(place + skipped, runLength);
    return { kind: 'data', length: runLength, hostOffset: place + skipped, compressedLength: 0 };
  }

  #compressedRun(table: DataView, index: number, length: number): Qcow1Run {
    const offsetBits = 63n - BigInt(Math.log2(this.#header.clusterSize));
    const entry = table.getBigUint64(index * 8);
    const hostOffset = Number(entry & ((1n << offsetBits) - 1n));
    const compressedLength = Number((entry >> offsetBits) & BigInt(this.#header.clusterSize - 1));
    this.#checkInFile(hostOffset, compressedLength);
    return { kind: 'compressed', length, hostOffset, compressedLength };
  }

  #checkInFile(hostOffset: number, length: number): void {
    if (hostOffset + length <= this.#file.size) return;
    const where = `a cluster at byte ${hostOffset} of the file lies past its end, which is at ${this.#file.size}`;
    throw corruptImage(this.#name, where);
  }
}

function absent(length: number): Qcow1Run {
  return { kind: 'backing', length, hostOffset: 0, compressedLength: 0 };
}

/** The offset that is an entry of a table; over 2^53 it is inexact, and past the end of any file. */
function offsetIn(table: DataView, index: number): number {
  return table.getUint32(index * 8) * 0x1_0000_0000 + table.getUint32(index * 8 + 4);
}
