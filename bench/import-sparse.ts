/** A disk of 1 TiB that holds 100 MiB, beside a disk of those 100 MiB. `npm run bench import-sparse` */
import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { formatSize } from '../src/base/size.ts';
import { type Contestant, contest } from './runner/contest.ts';
import { debianDisk } from './runner/debian-disk.ts';
import { dataOf } from './runner/disk-data.ts';
import { run, runWithMemory, varve } from './runner/program.ts';
import { runBenchmark } from './runner/run-benchmark.ts';

const mebibyte = 1024 * 1024;
const dataSize = 100 * mebibyte;
const sparseSize = 2 ** 40;
const memoryLimit = 200_000_000;

await runBenchmark({ title: 'import-sparse: 100 MiB spread over 1 TiB', rounds: 7 }, async (bench) => {
  const data = dataOf(debianDisk().path, dataSize);
  const dense = join(bench.directory, 'dense.raw');
  const sparse = join(bench.directory, 'sparse.raw');
  writeSpread(dense, data, dataSize);
  writeSpread(sparse, data, sparseSize);
  const contestants = [
    importer('100 MiB', dense, join(bench.directory, 'dense-store')),
    importer('100 MiB in 1 TiB', sparse, join(bench.directory, 'sparse-store')),
  ] as const;
  const [alone, spread] = contestants;
  const result = await contest(contestants, { rounds: bench.rounds });
  for (const { name, memory } of contestants) {
    bench.report.add(name, result.summary(name), { memory: memory() === 0 ? '' : formatSize(memory()) });
  }
  bench.report.target('time, 1 TiB : 100 MiB', result.ratio(spread.name, alone.name), '×', { atMost: 1.1 });
  if (spread.memory() > 0) {
    bench.report.target('memory, 1 TiB', spread.memory() / 1e6, 'MB', { atMost: memoryLimit / 1e6 });
  }
  bench.report.note('the same 100 MiB of a real disk in both, in pieces of 1 MiB; "as fast" is taken as within 10 %');
});

/** Writes `data` in pieces of 1 MiB at even distances over a file of `size` bytes, holes between. */
function writeSpread(path: string, data: Uint8Array, size: number): void {
  const file = openSync(path, 'wx');
  ftruncateSync(file, size);
  const distance = size / (data.length / mebibyte);
  for (let index = 0; index * mebibyte < data.length; index += 1) {
    // Whole MiB, so that no chunk is cut.
    const offset = Math.floor((index * distance) / mebibyte) * mebibyte;
    writeSync(file, data, index * mebibyte, mebibyte, offset);
  }
  closeSync(file);
}

/** Imports into a fresh store each time, and remembers the most memory that took. */
function importer(name: string, disk: string, store: string): Contestant & { memory(): number } {
  let most = 0;
  return {
    name,
    prepare() {
      rmSync(store, { recursive: true, force: true });
      run(['sync', '--file-system', disk]);
    },
    run() {
      const { milliseconds, peakMemory = 0 } = runWithMemory(varve('--store', store, 'import', disk, 'web'));
      most = Math.max(most, peakMemory);
      return milliseconds;
    },
    memory: () => most,
  };
}
