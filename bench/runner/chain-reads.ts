import { join } from 'node:path';
import { openFileDevice } from '../../src/block/file-device.ts';
import { randomBelow, seededRandom } from '../../src/filter/seeded-random.ts';
import { followBackingFiles } from '../../src/format/backing-files.ts';
import { openImage } from '../../src/format/formats.ts';
import type { FormatDevice } from '../../src/format/image-format.ts';
import { type Contestant, contest } from './contest.ts';
import { debianDisk } from './debian-disk.ts';
import { dataOf } from './disk-data.ts';
import { runWithMemory } from './program.ts';
import { makeChain, timeChainReads } from './qcow2-chain.ts';
import type { Bench } from './run-benchmark.ts';

const depths = [1, 10, 50, 100, 200];
const deepest = 200;
const pieceLength = 65_536;
const pieceCount = 3000;
const changedPieces = 16;
const readLength = 4096;
const readCount = 2000;
/** How often we repeat the reads, for a time that can be measured. */
const passes = 20;

/** Random reads through chains of qcow2 files, beside qemu-io on the same files. */
export async function chainReads(bench: Bench): Promise<void> {
  if (!bench.has('qemu-img') || !bench.has('qemu-io')) return;
  makeDeepest(bench.directory);
  for (const depth of depths) {
    const path = topOf(bench.directory, depth);
    const name = `a random 4 KiB, chain of ${depth}`;
    const ours: Contestant = { name, run: () => timeReads(path) };
    const theirs: Contestant = {
      name: `${name}, qemu-io`,
      run: () => timeChainReads(path, readOffsets(), readLength),
    };
    const result = await contest([ours, theirs], { rounds: Math.min(3, bench.rounds) });
    bench.report.add(ours.name, result.summary(ours.name));
    bench.report.add(theirs.name, result.summary(theirs.name));
    if (depth !== 100) continue;
    const times = result.ratio(theirs.name, ours.name);
    bench.report.target(`time of a read, chain of ${depth}, qemu-io : ours`, times, '×', { atLeast: 20 });
  }
  const first = await contest(
    depths.map((depth) => ({
      name: `opening and 2,000 reads, chain of ${depth}`,
      run: () => openAndRead(bench, depth),
    })),
    { rounds: bench.rounds },
  );
  for (const name of first.names) bench.report.add(name, first.summary(name));
  bench.report.note(
    `a chain's disk has ${pieceCount * 64} KiB; each file over the first changes ${changedPieces} pieces`,
  );
}

/** How much memory a process of ours takes that reads all of a chain; run after `chainReads`, in its directory. */
export function chainMemory(bench: Bench): void {
  if (!bench.has('qemu-img') || !bench.has('qemu-io')) return;
  const peaks = [1, deepest].map((depth) => {
    const command = [process.execPath, import.meta.filename, topOf(bench.directory, depth)];
    return runWithMemory(command).peakMemory;
  });
  const [shallow, deep] = peaks;
  if (shallow === undefined || deep === undefined) return;
  const more = (deep - shallow) / 2 ** 20;
  bench.report.target(`memory, chain of ${deepest} over chain of 1`, more, 'MiB', { atMost: 64 });
}

function makeDeepest(directory: string): void {
  const data = dataOf(debianDisk().path, pieceCount * pieceLength);
  const random = seededRandom(deepest);
  const change = (): number[] =>
    Array.from({ length: changedPieces }, () => randomBelow(random, pieceCount) * pieceLength);
  makeChain(directory, { data, changedOffsets: Array.from({ length: deepest - 1 }, change) });
}

/** Each link is the top of a chain of its own. */
function topOf(directory: string, depth: number): string {
  return join(directory, `chain-${deepest - 1}-${depth - 1}.qcow2`);
}

function readOffsets(): number[] {
  const random = seededRandom(4);
  const blocks = (pieceCount * pieceLength) / readLength;
  return Array.from({ length: readCount }, () => randomBelow(random, blocks) * readLength);
}

async function openChain(path: string): Promise<FormatDevice> {
  const openFile = (file: string) => openFileDevice(file, { readOnly: true });
  const openBacking = await followBackingFiles({ path, allowed: [join(path, '..')], openFile });
  return openImage(await openFile(path), { name: path, openBacking });
}

/** Milliseconds that a read takes once the chain has been read from. */
async function timeReads(path: string): Promise<number> {
  await using disk = await openChain(path);
  const offsets = readOffsets();
  await readAll(disk, offsets);
  const start = performance.now();
  for (let pass = 0; pass < passes; pass += 1) await readAll(disk, offsets);
  return (performance.now() - start) / (offsets.length * passes);
}

async function openAndRead(bench: Bench, depth: number): Promise<void> {
  await using disk = await openChain(topOf(bench.directory, depth));
  await readAll(disk, readOffsets());
}

async function readAll(disk: FormatDevice, offsets: readonly number[]): Promise<void> {
  const target = new Uint8Array(readLength);
  for (const offset of offsets) {
    const pending = disk.read(target, offset);
    if (pending !== undefined) await pending;
  }
}

if (process.argv[1] === import.meta.filename) {
  await using disk = await openChain(process.argv[2] ?? '');
  const target = new Uint8Array(2 ** 20);
  for (let offset = 0; offset < disk.size; offset += target.length) {
    await disk.read(target.subarray(0, Math.min(target.length, disk.size - offset)), offset);
  }
}
