/** `varve import` beside `qemu-img convert` to compressed qcow2: time, memory, size. `npm run bench import` */
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { formatSize } from '../src/base/size.ts';
import { type Contestant, contest } from './runner/contest.ts';
import { debianDisk } from './runner/debian-disk.ts';
import { directorySize } from './runner/disk-usage.ts';
import { run, runWithMemory, varve } from './runner/program.ts';
import { type Bench, runBenchmark } from './runner/run-benchmark.ts';

const title = 'import: a 2 GiB ext4 disk into a store, beside qemu-img convert -c to qcow2 with zstd';
const convert = ['qemu-img', 'convert', '-c', '-m', '16', '-W', '-O', 'qcow2', '-o', 'compression_type=zstd'];

await runBenchmark({ title, programs: ['qemu-img'], rounds: 7 }, async (bench) => {
  const disk = debianDisk();
  const store = join(bench.directory, 'store');
  const qcow2 = join(bench.directory, 'disk.qcow2');
  const ours = importer('varve import', varve('--store', store, 'import', disk.path, 'web'), store);
  const theirs = importer('qemu-img convert', [...convert, disk.path, qcow2], qcow2);
  const synced = importer('qemu-img convert -t writeback', [...convert, '-t', 'writeback', disk.path, qcow2], qcow2);
  const all = bench.has('qemu-img') ? [ours, theirs, synced] : [ours];
  const result = await contest(all, { rounds: bench.rounds });
  for (const { name, figures } of all) bench.report.add(name, result.summary(name), figures());
  if (bench.has('qemu-img')) {
    const time = result.ratio(ours.name, theirs.name);
    bench.report.target('time, varve import : qemu-img convert', time, '×', { atMost: 1 });
    bench.report.target('size, store : qcow2', ours.size() / theirs.size(), '×', { atMost: 1.05 });
  }
  addNotes(bench, disk.origin);
});

/** Runs a program that writes `output`, which is deleted before, and remembers the size of it and the memory taken. */
function importer(
  name: string,
  command: string[],
  output: string,
): Contestant & { size(): number; figures(): Record<string, string> } {
  let size = 0;
  let peakMemory = 0;
  return {
    name,
    prepare() {
      rmSync(output, { recursive: true, force: true });
      run(['sync', '--file-system', join(output, '..')]);
    },
    run() {
      const ended = runWithMemory(command);
      peakMemory = Math.max(peakMemory, ended.peakMemory ?? 0);
      size = statSync(output).isDirectory() ? directorySize(output) : statSync(output).size;
      return ended.milliseconds;
    },
    size: () => size,
    figures: () => ({ memory: peakMemory === 0 ? '' : formatSize(peakMemory), size: formatSize(size) }),
  };
}

function addNotes({ report }: Bench, origin: string): void {
  report.note(`the disk holds ${origin}, and is in the page cache`);
  report.note('memory is the most that any round took');
  report.note(
    'varve syncs all it writes before it ends; qemu-img convert leaves that to the kernel unless told -t writeback',
  );
}
