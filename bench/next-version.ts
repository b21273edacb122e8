/** The next version of a disk, 1 % of its blocks changed, beside casync and restic. `npm run bench next-version` */
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { formatSize } from '../src/base/size.ts';
import { randomBelow, seededRandom } from '../src/filter/seeded-random.ts';
import { type Contestant, contest } from './runner/contest.ts';
import { debianDisk } from './runner/debian-disk.ts';
import { dataPieces } from './runner/disk-data.ts';
import { directorySize } from './runner/disk-usage.ts';
import { noise } from './runner/noise.ts';
import { type RunOptions, run, varve } from './runner/program.ts';
import { runBenchmark } from './runner/run-benchmark.ts';

const seed = 42;
const blockLength = 4096;
const blocksPerChunk = 16;
const title = 'next version: 1 % of the 4 KiB blocks changed, anywhere in the data';

/** One of several stores, made anew in each round: its first version is brought in, and then the next is measured. */
interface Keeper {
  readonly name: string;
  readonly options?: RunOptions;
  setUp?(): void;
  first(disk: string): string[];
  next(disk: string): string[];
}

await runBenchmark({ title, programs: ['casync', 'restic'], rounds: 5 }, async (bench) => {
  const base = debianDisk();
  const changed = join(bench.directory, 'next.raw');
  const { blocks, chunks } = changeBlocks(base.path, changed);
  const store = join(bench.directory, 'store');
  const keepers = [
    varveKeeper(store),
    ...(bench.has('casync') ? [casyncKeeper(store)] : []),
    ...(bench.has('restic') ? [resticKeeper(store)] : []),
  ];
  const contestants = keepers.map((keeper) => nextVersion(keeper, store, base.path, changed));
  const result = await contest(contestants, { rounds: bench.rounds, warmUps: 0 });
  for (const { name, first, growth } of contestants) {
    const figures = { 'first version': `${(first() / 1000).toFixed(2)} s`, 'store grows by': formatSize(growth()) };
    bench.report.add(name, result.summary(name), figures);
  }
  const stored = chunksStored(store, base.path, changed);
  bench.report.target('chunks stored', stored, 'chunks', { atMost: chunks });
  for (const other of contestants.slice(1)) {
    bench.report.target(`time, varve : ${other.name}`, result.ratio('varve', other.name), '×', { atMost: 1 });
  }
  bench.report.note(`${blocks} blocks of 4 KiB changed in ${chunks} chunks of 64 KiB (seed ${seed}), to noise`);
  bench.report.note('casync cuts by content, restic too, into pieces of their own sizes; all as they come');
});

/** Copies a disk and overwrites a hundredth of its data's blocks. */
function changeBlocks(from: string, to: string): { blocks: number; chunks: number } {
  run(['cp', from, to]);
  const pieces = dataPieces(from);
  const random = seededRandom(seed);
  const wanted = Math.round((pieces.length * blocksPerChunk) / 100);
  const offsets = new Set<number>();
  while (offsets.size < wanted) {
    const piece = pieces[randomBelow(random, pieces.length)] as number;
    offsets.add(piece + randomBelow(random, blocksPerChunk) * blockLength);
  }
  const file = openSync(to, 'r+');
  for (const offset of offsets)
    writeSync(file, noise(seed + offset / blockLength, blockLength), 0, blockLength, offset);
  closeSync(file);
  const chunkLength = blocksPerChunk * blockLength;
  return { blocks: wanted, chunks: new Set([...offsets].map((offset) => Math.floor(offset / chunkLength))).size };
}

function nextVersion(
  keeper: Keeper,
  store: string,
  base: string,
  changed: string,
): Contestant & { first(): number; growth(): number } {
  let first = 0;
  let growth = 0;
  let before = 0;
  return {
    name: keeper.name,
    prepare() {
      rmSync(store, { recursive: true, force: true });
      keeper.setUp?.();
      first = run(keeper.first(base), keeper.options).milliseconds;
      before = directorySize(store);
    },
    run() {
      const { milliseconds } = run(keeper.next(changed), keeper.options);
      growth = directorySize(store) - before;
      return milliseconds;
    },
    first: () => first,
    growth: () => growth,
  };
}

function varveKeeper(store: string): Keeper {
  return {
    name: 'varve',
    first: (disk) => varve('--store', store, 'import', disk, 'web'),
    next: (disk) => varve('--store', store, 'import', disk, 'web', '--update'),
  };
}

function casyncKeeper(store: string): Keeper {
  const make = ['casync', 'make', `--store=${join(store, 'chunks.castr')}`];
  return {
    name: 'casync',
    setUp: () => void mkdirSync(store),
    first: (disk) => [...make, join(store, 'first.caibx'), disk],
    next: (disk) => [...make, join(store, 'next.caibx'), disk],
  };
}

function resticKeeper(store: string): Keeper {
  const settings = { RESTIC_REPOSITORY: store, RESTIC_PASSWORD: 'benchmark', RESTIC_CACHE_DIR: `${store}-cache` };
  const options = { env: { ...process.env, ...settings } };
  const backup = (disk: string) => ['restic', 'backup', '--quiet', disk];
  return { name: 'restic', options, setUp: () => void run(['restic', 'init'], options), first: backup, next: backup };
}

/** The chunks that the next version added, as varve itself counts them. */
function chunksStored(store: string, base: string, changed: string): number {
  rmSync(store, { recursive: true, force: true });
  run(varve('--store', store, 'import', base, 'web'));
  const { stdout } = run(varve('--store', store, '--json', 'import', changed, 'web', '--update'));
  return JSON.parse(stdout).addedLength / (blocksPerChunk * blockLength);
}
