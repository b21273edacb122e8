/** Serving a disk over NBD, beside qemu-nbd and nbdkit, with fio as the client. `npm run bench nbd` */
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contestant, contest } from './runner/contest.ts';
import { debianDisk } from './runner/debian-disk.ts';
import { startServer } from './runner/nbd-servers.ts';
import { run, varve } from './runner/program.ts';
import { runBenchmark } from './runner/run-benchmark.ts';

/** A way to load a server. */
interface Load {
  readonly name: string;
  /** Options of fio. */
  readonly options: readonly string[];
  /** Requests a second beside those of the better peer. */
  readonly target?: number;
}

const secondsPerRun = 2;
const spread = '512m';
const loads: readonly Load[] = [
  { name: 'read 4 KiB at random, depth 32', options: ['--rw=randread', '--bs=4k', '--iodepth=32'], target: 1.5 },
  { name: 'write 4 KiB at random, depth 32', options: ['--rw=randwrite', '--bs=4k', '--iodepth=32'], target: 1.5 },
  { name: 'read 4 KiB at random, depth 1', options: ['--rw=randread', '--bs=4k', '--iodepth=1'], target: 0.9 },
  { name: 'write 4 KiB at random, depth 1', options: ['--rw=randwrite', '--bs=4k', '--iodepth=1'], target: 0.9 },
  { name: 'read 128 KiB in order, depth 8', options: ['--rw=read', '--bs=128k', '--iodepth=8'], target: 1 },
  { name: 'write 128 KiB in order, depth 8', options: ['--rw=write', '--bs=128k', '--iodepth=8'], target: 1 },
  {
    name: 'read 4 KiB at random, 4 clients, depth 32',
    options: ['--rw=randread', '--bs=4k', '--iodepth=32', '--numjobs=4', '--thread'],
  },
];

interface FioJob {
  readonly [way: string]: {
    readonly iops: number;
    readonly clat_ns?: { readonly percentile?: Record<string, number> };
  };
}

const programs = ['fio', 'qemu-nbd', 'nbdkit'];

await runBenchmark({ title: 'nbd: a disk served on a Unix socket', programs, rounds: 5 }, async (bench) => {
  if (!programs.every(bench.has)) return;
  const raw = join(bench.directory, 'disk.raw');
  copyFileSync(debianDisk().path, raw);
  const socket = (name: string): string => join(bench.directory, `${name}.sock`);
  const servers = [
    { name: 'varve', command: varve('serve', raw, '--socket', socket('varve')), exportName: '' },
    {
      name: 'qemu-nbd',
      command: ['qemu-nbd', '-t', '-e', '64', '-f', 'raw', '-k', socket('qemu-nbd'), raw],
      exportName: '',
    },
    { name: 'nbdkit', command: ['nbdkit', '-f', '-U', socket('nbdkit'), 'file', raw], exportName: '' },
  ];
  for (const load of loads) {
    const slowest = new Map<string, number>();
    const contestants = servers.map(
      ({ command, name }): Contestant => ({
        name: `${load.name}: ${name}`,
        async run() {
          await using _server = await startServer(command, socket(name));
          const { iops, slowestMs } = fio(socket(name), load.options);
          slowest.set(name, slowestMs);
          return 1000 / iops;
        },
      }),
    );
    const result = await contest(contestants, { rounds: bench.rounds });
    for (const [index, { name }] of servers.entries()) {
      const contestant = contestants[index]?.name as string;
      const summary = result.summary(contestant);
      bench.report.add(contestant, summary, {
        'requests a second': Math.round(1000 / summary.median).toLocaleString('en'),
        '99 % within': `${(slowest.get(name) ?? 0).toFixed(2)} ms`,
      });
    }
    const [ours, ...peers] = contestants.map(({ name }) => name) as [string, ...string[]];
    const speed = Math.min(...peers.map((peer) => result.ratio(peer, ours)));
    if (load.target !== undefined)
      bench.report.target(`${load.name}, to the better peer`, speed, '×', { atLeast: load.target });
  }
  await using server = await startServer(varve('serve', raw, '--socket', socket('many')), socket('many'));
  fio(socket('many'), ['--rw=randread', '--bs=4k', '--iodepth=32', '--numjobs=64', '--thread']);
  bench.report.target('memory of varve with 64 clients at depth 32', memoryOf(server.pid) / 1e6, 'MB', { atMost: 150 });
  bench.report.note('each server is started anew for each round, on the same raw file, in the page cache');
});

/** Requests a second, and within how many milliseconds 99 of 100 were done. */
function fio(socket: string, options: readonly string[]): { iops: number; slowestMs: number } {
  const common = ['--name=load', '--ioengine=nbd', `--uri=nbd+unix:///?socket=${socket}`, `--size=${spread}`];
  const timing = [`--runtime=${secondsPerRun}`, '--time_based', '--group_reporting', '--output-format=json'];
  const { stdout } = run(['fio', ...common, ...timing, ...options]);
  const [job] = JSON.parse(stdout.slice(stdout.indexOf('{'))).jobs as [FioJob];
  const way = options.some((option) => /rw=(rand)?write/.test(option)) ? job.write : job.read;
  if (way === undefined) throw new Error('fio did nothing');
  return { iops: way.iops, slowestMs: (way.clat_ns?.percentile?.['99.000000'] ?? 0) / 1e6 };
}

/** The most memory that a process has had, in bytes. */
function memoryOf(pid: number): number {
  const path = `/proc/${pid}/status`;
  if (!existsSync(path)) throw new Error('the server is gone');
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(path, 'utf8'))?.[1] ?? Number.NaN) * 1024;
}
