/** Writing qcow2 images in place, beside qemu-img bench. `npm run bench write` */
import fs from 'node:fs';
import { join } from 'node:path';
import { isResizable } from '../src/block/block-device.ts';
import { openFileDevice } from '../src/block/file-device.ts';
import type { FormatDevice } from '../src/format/image-format.ts';
import { qcow2Format } from '../src/format/qcow2/qcow2.ts';
import { type Contestant, contest } from './runner/contest.ts';
import { noise } from './runner/noise.ts';
import { run } from './runner/program.ts';
import { type Bench, runBenchmark } from './runner/run-benchmark.ts';

const title = 'write: requests to a qcow2 image, one at a time, beside qemu-img bench';
const diskSize = 2 ** 30;

/** Requests of one length, each so many bytes after the last one. */
interface Pattern {
  readonly name: string;
  readonly length: number;
  readonly step: number;
  readonly count: number;
  /** All of it has been written before. */
  readonly again?: boolean;
  /** Each request is flushed. */
  readonly flushes?: boolean;
}

const patterns: readonly Pattern[] = [
  { name: '2 MiB, into a new image', length: 2 ** 21, step: 2 ** 21, count: 256 },
  { name: '4 KiB each into a cluster of its own', length: 4096, step: 65536, count: 8000 },
  { name: '4 KiB over what is there', length: 4096, step: 65536, count: 8000, again: true },
  { name: '4 KiB each into a cluster of its own, flushed', length: 4096, step: 65536, count: 200, flushes: true },
];

function newImage(path: string): void {
  run(['qemu-img', 'create', '-q', '-f', 'qcow2', path, `${diskSize}`]);
}

async function ours(path: string, pattern: Pattern): Promise<number> {
  const file = await openFileDevice(path);
  if (!isResizable(file)) throw new TypeError(`${path} is no file`);
  await using disk = await qcow2Format.open(file, { name: path, writable: true });
  const source = noise(1, pattern.length);
  const start = performance.now();
  await write(disk, source, pattern);
  return (performance.now() - start) / pattern.count;
}

async function write(disk: FormatDevice, source: Uint8Array, { count, flushes, step }: Pattern): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const pending = disk.write(source, index * step);
    if (pending !== undefined) await pending;
    if (flushes === true) await disk.flush();
  }
}

function theirs(path: string, { count, flushes, length, step }: Pattern): number {
  const amount = ['-c', `${count}`, '-s', `${length}`, '-S', `${step}`];
  const flush = flushes === true ? ['--flush-interval=1'] : [];
  const command = ['qemu-img', 'bench', '-w', '-d', '1', '-t', 'writeback', '-f', 'qcow2', ...amount, ...flush, path];
  const seconds = /completed in ([0-9.]+) seconds/.exec(run(command).stdout)?.[1];
  return (Number(seconds) * 1000) / count;
}

async function compare(bench: Bench, pattern: Pattern): Promise<void> {
  const contestant = (name: string, work: (path: string) => number | Promise<number>): Contestant => {
    const path = join(bench.directory, `${name.replaceAll(/\W+/g, '-')}.qcow2`);
    return {
      name,
      async prepare() {
        fs.rmSync(path, { force: true });
        newImage(path);
        if (pattern.again === true) await ours(path, pattern);
      },
      run: () => work(path),
    };
  };
  const mine = contestant(pattern.name, (path) => ours(path, pattern));
  const other = contestant(`${pattern.name}, qemu-img`, (path) => theirs(path, pattern));
  const result = await contest([mine, other], { rounds: bench.rounds });
  for (const { name } of [mine, other]) bench.report.add(name, result.summary(name));
  bench.report.target(`time, ${pattern.name}, ours : qemu-img`, result.ratio(mine.name, other.name), '×', {
    atMost: 1,
  });
}

await runBenchmark({ title, programs: ['qemu-img'], rounds: 5 }, async (bench) => {
  if (!bench.has('qemu-img')) return;
  for (const pattern of patterns) await compare(bench, pattern);
  bench.report.note('a request each; files are in the page cache, and ours is closed outside of the time taken');
});
