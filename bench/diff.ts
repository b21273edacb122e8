/**
 * What `varve diff` of two snapshots takes that differ by one package, as a process of its own, on disks of 20 and 200 GiB.
 * `npm run bench diff`
 */
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSize } from '../src/base/size.ts';
import { type Contestant, contest } from './runner/contest.ts';
import { debianDisk } from './runner/debian-disk.ts';
import { bareNode, run, varve } from './runner/program.ts';
import { runBenchmark } from './runner/run-benchmark.ts';

const targetMs = 500;
const names = ['bin', 'changelog', 'copyright', 'config'];

await runBenchmark({ title: 'diff: two snapshots that differ by one package', rounds: 20 }, async (bench) => {
  const { path, origin } = debianDisk();
  console.error(`the disks hold ${origin}`);
  const store = join(bench.directory, 'store');
  for (const size of ['20G', '200G']) makeSnapshots(path, size, bench.directory, store);
  const contestants: Contestant[] = [
    { name: 'node -e 0', run: () => run(bareNode).milliseconds },
    diff('varve diff, 20 GiB', store, '20G'),
    diff('varve diff, 200 GiB', store, '200G'),
    diff('varve diff --ranges, 200 GiB', store, '200G', '--ranges'),
  ];
  const result = await contest(contestants, { rounds: bench.rounds });
  for (const name of result.names) bench.report.add(name, result.summary(name));
  for (const { name } of contestants.slice(1, 3)) {
    bench.report.target(name, result.summary(name).median, 'ms', { atMost: targetMs });
  }
});

function diff(name: string, store: string, size: string, ...options: string[]): Contestant {
  const command = varve('diff', ...options, `disk-${size}@1`, `disk-${size}@2`, '--store', store);
  return { name, run: () => run(command).milliseconds };
}

/** The disk grown to `size`, and once more with a package in it. */
function makeSnapshots(disk: string, size: string, directory: string, store: string): void {
  const grown = join(directory, `${size}.raw`);
  run(['cp', '--sparse=always', disk, grown]);
  truncateSync(grown, parseSize(size));
  run(['resize2fs', '-f', grown]);
  run(varve('import', grown, `disk-${size}`, '--store', store));
  const tree = join(directory, 'package');
  mkdirSync(tree, { recursive: true });
  for (const name of names) writeFileSync(join(tree, name), `${name}\n`.repeat(10_000));
  const status = join(tree, 'status');
  const known = run(['debugfs', '-R', 'cat /var/lib/dpkg/status', grown]).stdout;
  writeFileSync(status, `${known}\nPackage: new\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n`);
  const commands = [
    ...[
      'mkdir /usr/share/doc/new',
      'cd /usr/share/doc/new',
      ...names.map((name) => `write ${join(tree, name)} ${name}`),
    ],
    ...['cd /var/lib/dpkg', 'rm status', `write ${status} status`],
  ];
  writeFileSync(join(tree, 'commands'), `${commands.join('\n')}\n`);
  run(['debugfs', '-w', '-f', join(tree, 'commands'), grown]);
  run(varve('import', grown, `disk-${size}`, '--update', '--store', store));
  run(['rm', grown]);
  const shown = run(varve('diff', `disk-${size}@1`, `disk-${size}@2`, '--store', store)).stdout;
  if (!shown.includes('Packages: new:all 1 added')) throw new Error(`diff does not tell of the package: ${shown}`);
}
