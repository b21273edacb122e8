import assert from 'node:assert/strict';
import type { BlockDevice, Extent } from '../block/block-device.ts';

/** A range of a device, in bytes. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** `length` bytes, none of them 0, that differ from one `seed` and from one place to the next. */
export function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = Math.imul(seed + 1, 0x9e37_79b1);
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[index] = (state >>> 24) | 1;
  }
  return bytes;
}

/** A range of a device's content, all of it where no range is given. */
export async function contentOf(device: BlockDevice, offset = 0, length = device.size - offset): Promise<Uint8Array> {
  const content = new Uint8Array(length).fill(0xaa);
  await device.read(content, offset);
  return content;
}

/** The extents of a range of a device, in an array. */
export async function extentsOf(device: BlockDevice, offset = 0, length = device.size - offset): Promise<Extent[]> {
  return Array.fromAsync(device.extents(offset, length));
}

/** Ranges that start and end at a device's ends, where blocks meet, and one byte to either side. */
export function edgeRanges({ size, blockSize }: BlockDevice): ByteRange[] {
  const places = new Set([0, 1, size - 1, size]);
  for (const edge of [512, blockSize, 65536, 131072]) {
    for (const place of [edge - 1, edge, edge + 1]) if (place < size) places.add(place);
  }
  const sorted = [...places].sort((a, b) => a - b);
  return sorted.flatMap((offset) =>
    sorted.filter((end) => end > offset).map((end) => ({ offset, length: end - offset })),
  );
}

/** Fails with the first place where two runs of bytes differ, which `deepEqual` takes seconds to find. */
export function assertEqualBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(actual, expected) === 0) return;
  const place = actual.findIndex((byte, index) => byte !== expected[index]);
  const bytes = `byte ${place} is ${actual[place]} and should be ${expected[place]}`;
  assert.fail(`${what}: ${actual.length} bytes instead of ${expected.length}, ${bytes}`);
}
