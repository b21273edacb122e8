/** What `varve inspect` of a whole Debian root takes, as a process of its own. `npm run bench inspect` */
import { join } from 'node:path';
import { type Contestant, contest } from './runner/contest.ts';
import { debianDisk } from './runner/debian-disk.ts';
import { bareNode, run, varve } from './runner/program.ts';
import { runBenchmark } from './runner/run-benchmark.ts';

const targetMs = 500;

await runBenchmark({ title: 'inspect: a disk of 2 GiB with a Debian root', rounds: 20 }, async (bench) => {
  const { path, origin } = debianDisk();
  console.error(`the disk holds ${origin}`);
  const compressed = join(bench.directory, 'debian.qcow2');
  run(varve('convert', path, compressed, '--compress'));
  const contestants: Contestant[] = [
    { name: 'node -e 0', run: () => run(bareNode).milliseconds },
    inspection('varve inspect, raw', path),
    inspection('varve inspect, compressed qcow2', compressed),
    inspection('varve inspect --cyclonedx, raw', path, '--cyclonedx'),
  ];
  const result = await contest(contestants, { rounds: bench.rounds });
  for (const name of result.names) bench.report.add(name, result.summary(name));
  for (const { name } of contestants.slice(1)) {
    bench.report.target(name, result.summary(name).median, 'ms', { atMost: targetMs });
  }
});

function inspection(name: string, path: string, ...options: string[]): Contestant {
  return { name, run: () => run(varve('inspect', path, ...options)).milliseconds };
}
