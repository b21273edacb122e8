/** `varve export` to a raw file beside `qemu-img convert` from compressed qcow2. `npm run bench export` */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { formatSize } from '../src/base/size.ts';
import { type Contestant, contest } from './runner/contest.ts';
import { debianDisk } from './runner/debian-disk.ts';
import { run, runWithMemory, varve } from './runner/program.ts';
import { runBenchmark } from './runner/run-benchmark.ts';

const title = 'export: to a raw file, beside qemu-img convert from qcow2 compressed with zstd';

await runBenchmark({ title, programs: ['qemu-img'], rounds: 7 }, async (bench) => {
  const disk = debianDisk();
  const store = join(bench.directory, 'store');
  const qcow2 = join(bench.directory, 'disk.qcow2');
  const out = join(bench.directory, 'out.raw');
  run(varve('--store', store, 'import', disk.path, 'web'));
  const ours = exporter('varve export', varve('--store', store, 'export', 'web', out), out);
  const all = [ours];
  if (bench.has('qemu-img')) {
    run(['qemu-img', 'convert', '-c', '-O', 'qcow2', '-o', 'compression_type=zstd', disk.path, qcow2]);
    const convert = ['qemu-img', 'convert', '-m', '16', '-W', '-O', 'raw'];
    all.push(exporter('qemu-img convert', [...convert, qcow2, out], out));
    all.push(exporter('qemu-img convert -t writeback', [...convert, '-t', 'writeback', qcow2, out], out));
  }
  const result = await contest(all, { rounds: bench.rounds });
  for (const { name, memory } of all) {
    bench.report.add(name, result.summary(name), { memory: memory() === 0 ? '' : formatSize(memory()) });
  }
  const [, theirs] = all;
  if (theirs !== undefined) {
    const speed = result.ratio(theirs.name, ours.name);
    bench.report.target('speed, varve export : qemu-img convert', speed, '×', { atLeast: 0.5 });
  }
  run(['cmp', disk.path, exportOnce(store, join(bench.directory, 'check.raw'))]);
  bench.report.note(`the disk holds ${disk.origin}; store and qcow2 are in the page cache`);
  bench.report.note('varve checks every chunk by its BLAKE3 name, and syncs the file before it ends');
});

function exportOnce(store: string, path: string): string {
  run(varve('--store', store, 'export', 'web', path));
  return path;
}

/** Runs a program that writes `output`, which is deleted before, and remembers the most memory that it took. */
function exporter(name: string, command: string[], output: string): Contestant & { memory(): number } {
  let most = 0;
  return {
    name,
    prepare() {
      rmSync(output, { force: true });
      run(['sync', '--file-system', join(output, '..')]);
    },
    run() {
      const { milliseconds, peakMemory = 0 } = runWithMemory(command);
      most = Math.max(most, peakMemory);
      return milliseconds;
    },
    memory: () => most,
  };
}
