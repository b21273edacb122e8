import type { BlockDevice } from '../block/block-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { pattern } from './device-content.ts';

/** A disk to write images of. */
export interface SampleDisk {
  readonly name: string;
  /** The disk; its extents know about its zeros. */
  readonly source: BlockDevice;
}

const mebibyte = 2 ** 20;

/** Bytes that compress well, as text does; no two lines alike. */
export function compressible(length: number, seed: number): Uint8Array {
  const lines = Array.from({ length: Math.ceil(length / 40) }, (_, index) => {
    return `line ${index * 7919 + seed} of what is easy to compress\n`.padEnd(40, '.');
  });
  return new TextEncoder().encode(lines.join('')).subarray(0, length);
}

/** Disks that a writer may stumble over, with sizes of multiples of `sizeUnit` bytes. */
export function sampleDisks(sizeUnit: number): SampleDisk[] {
  const odd = (size: number): number => size + sizeUnit;
  return [
    { name: 'no bytes at all', source: memoryDevice(0) },
    { name: 'the smallest disk', source: memoryDevice(pattern(sizeUnit, 1)) },
    { name: 'zeros', source: memoryDevice(odd(3 * mebibyte)) },
    { name: 'random bytes', source: memoryDevice(pattern(odd(2 * mebibyte), 2)) },
    { name: 'text', source: memoryDevice(compressible(odd(2 * mebibyte), 3)) },
    { name: 'a bit of everything', source: mixedDisk(odd(5 * mebibyte)) },
    { name: 'a sparse terabyte', source: sparseDisk() },
  ];
}

/** Zeros, text, random bytes and zeros between them, in runs that start and end anywhere. */
export function mixedDisk(size: number): BlockDevice {
  const device = memoryDevice(size);
  for (let offset = 70_000, turn = 0; offset < size; offset += 40_000 + 9_973 * turn, turn += 1) {
    const length = Math.min(size - offset, 1 + 13_331 * (turn % 11));
    void device.write(turn % 3 === 0 ? pattern(length, turn) : compressible(length, turn), offset);
  }
  void device.write(Uint8Array.of(1), size - 1);
  return device;
}

function sparseDisk(): BlockDevice {
  const device = memoryDevice(2 ** 40);
  for (const offset of [0, 2 ** 39 - 100, 2 ** 40 - 70_000]) void device.write(pattern(70_000, offset % 97), offset);
  return device;
}
