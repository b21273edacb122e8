/** What a 4 KiB request costs on devices and through filters, beside the system call alone. `npm run bench device` */
import fs from 'node:fs';
import { join } from 'node:path';
import type { BlockDevice } from '../src/block/block-device.ts';
import { checkedDevice } from '../src/block/checked-device.ts';
import { openFileDevice } from '../src/block/file-device.ts';
import { memoryDevice } from '../src/block/memory-device.ts';
import { cacheFilter } from '../src/filter/cache.ts';
import { overlayFilter } from '../src/filter/overlay.ts';
import { randomBelow, seededRandom } from '../src/filter/seeded-random.ts';
import { sliceFilter } from '../src/filter/slice.ts';
import { statsFilter } from '../src/filter/stats.ts';
import { type Contestant, contest } from './runner/contest.ts';
import { noise } from './runner/noise.ts';
import { runBenchmark } from './runner/run-benchmark.ts';

const size = 2 ** 26;
const requestLength = 4096;
const requestCount = 20_000;
const title = `device: a random request of 4 KiB, of ${requestCount} in a disk of 64 MiB in the page cache`;

const offsets = Float64Array.from({ length: requestCount }, offsetMaker());
const buffer = noise(1, requestLength);

function offsetMaker(): () => number {
  const random = seededRandom(2);
  return () => randomBelow(random, size / requestLength) * requestLength;
}

/** Goes straight on where the device answers at once, as the hot paths do. */
async function requests(device: BlockDevice, kind: 'read' | 'write'): Promise<void> {
  for (const offset of offsets) {
    const pending = kind === 'read' ? device.read(buffer, offset) : device.write(buffer, offset);
    if (pending !== undefined) await pending;
  }
}

function contestant(name: string, kind: 'read' | 'write', run: () => void | Promise<void>): Contestant {
  return {
    name: `${kind}, ${name}`,
    async run() {
      const start = performance.now();
      await run();
      return (performance.now() - start) / requestCount;
    },
  };
}

/** The system calls, as few lines as they can be. */
function bareCalls(fd: number, kind: 'read' | 'write'): void {
  if (kind === 'read') for (const offset of offsets) fs.readSync(fd, buffer, 0, requestLength, offset);
  else for (const offset of offsets) fs.writeSync(fd, buffer, 0, requestLength, offset);
}

function throughFilters(device: BlockDevice): BlockDevice {
  return checkedDevice(sliceFilter(sliceFilter(sliceFilter(device, {}), {}), {}));
}

await runBenchmark({ title, rounds: 15 }, async (bench) => {
  const path = join(bench.directory, 'disk');
  await using file = await openFileDevice(path, { createSize: size });
  for (let offset = 0; offset < size; offset += 2 ** 20) await file.write(noise(offset, 2 ** 20), offset);
  const memory = memoryDevice(size);
  const overlay = overlayFilter(memoryDevice(size), memory);
  const cache = cacheFilter(file, { capacity: size });
  for (const device of [overlay, cache]) await requests(device, 'write');
  await requests(cache, 'read');

  const devices = Object.entries({
    'file device': file,
    'file, checked': checkedDevice(file),
    'file, three slices, checked': throughFilters(file),
    'file, stats': statsFilter(file),
    memory,
    'memory, three slices, checked': throughFilters(memory),
    'overlay of memory': overlay,
    cache,
  });
  const fd = fs.openSync(path, 'r+');
  for (const kind of ['read', 'write'] as const) {
    const bare = contestant('system call', kind, () => bareCalls(fd, kind));
    const ours = devices.map(([name, device]) => contestant(name, kind, () => requests(device, kind)));
    const result = await contest([bare, ...ours], { rounds: bench.rounds, warmUps: 5 });
    for (const name of result.names) {
      bench.report.add(name, result.summary(name), { ratio: `${result.ratio(name, bare.name).toFixed(2)} ×` });
    }
  }
  fs.closeSync(fd);
  bench.report.note('ratio: to the system call of the same round');
});
