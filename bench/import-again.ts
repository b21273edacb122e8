/** A second import of the same content: of the same file, and of a copy. `npm run bench import-again` */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { formatSize } from '../src/base/size.ts';
import { type Contestant, contest } from './runner/contest.ts';
import { debianDisk } from './runner/debian-disk.ts';
import { directorySize } from './runner/disk-usage.ts';
import { run, varve } from './runner/program.ts';
import { runBenchmark } from './runner/run-benchmark.ts';

const growthLimit = 64 * 1024;

await runBenchmark({ title: 'import again: what the store holds already', rounds: 7 }, async (bench) => {
  const disk = debianDisk();
  const copy = join(bench.directory, 'copy.raw');
  run(['cp', disk.path, copy]);
  // A file that changed just now is read again, as it may change again without its time showing it.
  await setTimeout(3000);
  const first: Contestant = {
    name: 'first import',
    prepare: () => rmSync(join(bench.directory, 'first'), { recursive: true, force: true }),
    run: () => run(varve('--store', join(bench.directory, 'first'), 'import', disk.path, 'web')).milliseconds,
  };
  const store = join(bench.directory, 'store');
  run(varve('--store', store, 'import', disk.path, 'web'));
  const same = again('the same file again', store, ['import', disk.path]);
  const reread = again('the same content, read again', store, ['import', '--reread', copy]);
  const result = await contest([first, same, reread], { rounds: bench.rounds });
  bench.report.add(first.name, result.summary(first.name));
  for (const { name, growth } of [same, reread]) {
    bench.report.add(name, result.summary(name), { 'store grows by': formatSize(growth()) });
  }
  for (const { name, growth } of [same, reread]) {
    bench.report.target(`speed, ${name} : first import`, result.ratio(first.name, name), '×', { atLeast: 5 });
    bench.report.target(`growth, ${name}`, growth() / 1024, 'KiB', { atMost: growthLimit / 1024 });
  }
  bench.report.note(`the disk holds ${disk.origin}, and is in the page cache`);
  bench.report.note('the store grows by the largest growth of any round, catalog and files together');
});

/** Imports into a store under a new name each time, and remembers how much the store grew by that. */
function again(name: string, store: string, command: readonly string[]): Contestant & { growth(): number } {
  let growth = 0;
  let count = 0;
  return {
    name,
    run() {
      const before = directorySize(store);
      count += 1;
      const imported = run(varve('--store', store, ...command, `${name.replaceAll(/\W/g, '-')}-${count}`));
      growth = Math.max(growth, directorySize(store) - before);
      return imported.milliseconds;
    },
    growth: () => growth,
  };
}
