import { pattern } from '../../src/conformance/device-content.ts';
import { randomBelow, seededRandom } from '../../src/filter/seeded-random.ts';
import { chunkSize } from '../../src/store/chunk.ts';

/** Disks of different seeds have chunks in common, as versions of one machine have. */
const chunkKinds = 80;

/** The disk that `seed` stands for: about 1 MiB of zeros, of chunks that shrink, and of chunks that do not. */
export function seededDisk(seed: number): Uint8Array {
  const random = seededRandom(seed);
  const disk = new Uint8Array((8 + randomBelow(random, 16)) * chunkSize + randomBelow(random, 2 * chunkSize));
  for (let offset = 0; offset < disk.length; offset += chunkSize) {
    const kind = randomBelow(random, chunkKinds);
    const chunk = disk.subarray(offset, offset + chunkSize);
    if (kind % 4 === 1) chunk.fill(kind);
    else if (kind % 4 > 1) chunk.set(pattern(chunk.length, kind));
  }
  return disk;
}
