/** Serving a raw disk file over iSCSI, beside tgt, with QEMU's initiator (libiscsi). `npm run bench iscsi` */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pattern } from '../src/conformance/device-content.ts';
import { type Contestant, contest } from './runner/contest.ts';
import { type IscsiServing, startTgt, startVarveIscsi } from './runner/iscsi-servers.ts';
import { processorTimeOf } from './runner/nbd-load.ts';
import { run } from './runner/program.ts';
import { type Bench, runBenchmark } from './runner/run-benchmark.ts';
import { median } from './runner/statistics.ts';

const diskSize = 2 ** 28;
const port = 13_260;
/** Of tgt's orders, apart from those of a tgt that runs here anyway. */
const control = 77;

interface IscsiLoad {
  readonly name: string;
  /** Bytes of a request. */
  readonly length: number;
  readonly depth: number;
  readonly isWrite?: boolean;
  /** Requests of a round. */
  readonly count: number;
}

const loads: readonly IscsiLoad[] = [
  { name: 'read 4 KiB, depth 1', length: 4096, depth: 1, count: 30_000 },
  { name: 'write 4 KiB, depth 1', length: 4096, depth: 1, count: 30_000, isWrite: true },
  { name: 'read 4 KiB, depth 32', length: 4096, depth: 32, count: 100_000 },
  { name: 'write 4 KiB, depth 32', length: 4096, depth: 32, count: 100_000, isWrite: true },
  { name: 'read 128 KiB, depth 8', length: 2 ** 17, depth: 8, count: 10_000 },
  { name: 'write 128 KiB, depth 8', length: 2 ** 17, depth: 8, count: 10_000, isWrite: true },
];

const programs = ['qemu-img', 'tgtd', 'tgtadm'];

await runBenchmark({ title: 'iscsi: a raw file served on loopback', programs, rounds: 5 }, async (bench) => {
  if (!programs.every(bench.has)) return;
  const disk = join(bench.directory, 'disk.raw');
  writeFileSync(disk, pattern(diskSize, 1));
  await using varve = await startVarveIscsi(disk, port);
  await using tgt = await startTgt(disk, port + 1, control);
  for (const load of loads) await compare(bench, { varve, tgt }, load);
  bench.report.note('both servers run on, on one raw file of 256 MiB in the page cache; requests come in order');
  bench.report.note(
    'the initiator is one thread, and takes more of a processor than the server where requests are short',
  );
});

async function compare(bench: Bench, servers: Readonly<Record<string, IscsiServing>>, load: IscsiLoad): Promise<void> {
  const processor = new Map<string, number[]>();
  const contestants = Object.entries(servers).map(([server, { pid, url }]): Contestant => {
    const name = `${load.name}: ${server}`;
    processor.set(name, []);
    return {
      name,
      run(round) {
        const before = processorTimeOf(pid);
        const seconds = secondsOf(url, load);
        if (round >= 0) processor.get(name)?.push((processorTimeOf(pid) - before) / load.count);
        return (seconds / load.count) * 1000;
      },
    };
  });
  const result = await contest(contestants, { rounds: bench.rounds });
  for (const { name } of contestants) {
    const summary = result.summary(name);
    const perSecond = 1000 / summary.median;
    bench.report.add(name, summary, {
      'requests a second': Math.round(perSecond).toLocaleString('en'),
      rate: `${((perSecond * load.length) / 1e6).toFixed(0)} MB/s`,
      'processor a request': `${median(processor.get(name) ?? []).toFixed(1)} µs`,
    });
  }
  const [ours, theirs] = contestants.map(({ name }) => name) as [string, string];
  bench.report.target(`${load.name}, to tgt`, result.ratio(theirs, ours), '×', { atLeast: 1 });
}

/** How long QEMU took over all requests, by its own clock. */
function secondsOf(url: string, { count, depth, isWrite = false, length }: IscsiLoad): number {
  const way = isWrite ? ['-w', '--pattern=7'] : [];
  const options = ['-c', String(count), '-d', String(depth), '-s', String(length), '-f', 'raw', '-t', 'none', ...way];
  const { stdout } = run(['qemu-img', 'bench', ...options, url]);
  const [, seconds] = /Run completed in ([\d.]+) seconds/.exec(stdout) ?? [];
  if (seconds === undefined) throw new Error(`qemu-img bench said ${stdout}`);
  return Number(seconds);
}
