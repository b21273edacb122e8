/** `varve copy` beside `nbdcopy`: a file to an NBD server, and back into a file. `npm run bench copy` */
import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contestant, contest } from './runner/contest.ts';
import { debianDisk } from './runner/debian-disk.ts';
import { startServer } from './runner/nbd-servers.ts';
import { run, varve } from './runner/program.ts';
import { runBenchmark } from './runner/run-benchmark.ts';

const programs = ['nbdcopy', 'nbdkit', 'time'];

await runBenchmark({ title: 'copy: a disk over NBD, to nbdkit and back', programs, rounds: 5 }, async (bench) => {
  if (!programs.every(bench.has)) return;
  const disk = debianDisk().path;
  const [served, out, times] = ['served.raw', 'out.raw', 'times'].map((name) => join(bench.directory, name)) as [
    string,
    string,
    string,
  ];
  const socket = join(bench.directory, 'nbdkit.sock');
  const uri = `nbd+unix:///?socket=${socket}`;
  writeFileSync(served, '');
  truncateSync(served, statSync(disk).size);
  const processorMs = new Map<string, number>();
  const copier = (name: string, command: readonly string[]): Contestant => ({
    name,
    prepare() {
      rmSync(out, { force: true });
      run(['sync', '--file-system', bench.directory]);
    },
    run() {
      const { milliseconds } = run(['time', '--format', '%U %S', '--output', times, ...command]);
      const [user, system] = readFileSync(times, 'utf8').trim().split(' ').map(Number) as [number, number];
      processorMs.set(name, Math.min(processorMs.get(name) ?? Number.POSITIVE_INFINITY, 1000 * (user + system)));
      return milliseconds;
    },
  });
  await using _server = await startServer(['nbdkit', '-f', '-U', socket, 'file', served], socket);
  for (const [way, from, to] of [
    ['to a server', disk, uri],
    ['from a server', uri, out],
  ] as const) {
    const names = [`varve copy, ${way}`, `nbdcopy, ${way}`] as const;
    const contestants = [copier(names[0], varve('copy', from, to)), copier(names[1], ['nbdcopy', '--flush', from, to])];
    const result = await contest(contestants, { rounds: bench.rounds });
    for (const name of names) {
      const spent = `${(processorMs.get(name) ?? 0).toFixed(0)} ms`;
      bench.report.add(name, result.summary(name), { 'processor time, at least': spent });
    }
    bench.report.note(`${way}, varve copy : nbdcopy, time: ${result.ratio(...names).toFixed(2)} ×`);
  }
  run(['cmp', disk, out]);
  bench.report.note('the processor time is that of the program that copies, not that of nbdkit');
});
