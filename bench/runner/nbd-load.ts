import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contestant, contest } from './contest.ts';
import { startServer } from './nbd-servers.ts';
import { run } from './program.ts';
import type { Bench } from './run-benchmark.ts';
import { median } from './statistics.ts';

/** A server that is measured. */
export interface ServedDisk {
  readonly name: string;
  /** The command that serves it on a Unix socket. */
  readonly command: (socket: string) => readonly string[];
  readonly exportName?: string;
}

/** A way to load a server. */
export interface NbdLoad {
  readonly name: string;
  /** Options of fio. */
  readonly options: readonly string[];
  /** Requests a second beside those of the better peer. */
  readonly target?: number;
  /** Seconds of load, after half a second for warming up; all that `options` say, once, where it is `once`. */
  readonly duration?: number | 'once';
}

/** What one run came to. */
interface LoadResult {
  readonly requestsPerSecond: number;
  /** 99 of 100 requests were done within so many milliseconds. */
  readonly slowestMs: number;
  /** Processor time that the server took, in microseconds. */
  readonly processorTime: number;
}

const secondsPerRun = 2;
const clockTicksPerSecond = 100;

interface FioJob {
  readonly [way: string]: {
    readonly iops: number;
    readonly total_ios: number;
    readonly clat_ns?: { readonly percentile?: Record<string, number> };
  };
}

/** Loads servers in turn, ours first, each started anew for each round, and reports them side by side. */
export async function compareServers(bench: Bench, servers: readonly ServedDisk[], load: NbdLoad): Promise<void> {
  const results = new Map<string, LoadResult[]>(servers.map(({ name }) => [name, []]));
  const contestants = servers.map(
    (server): Contestant => ({
      name: `${load.name}: ${server.name}`,
      async run(round) {
        const result = await loadServer(bench.directory, server, load);
        if (round >= 0) results.get(server.name)?.push(result);
        return 1000 / result.requestsPerSecond;
      },
    }),
  );
  const contested = await contest(contestants, { rounds: bench.rounds });
  for (const [index, { name }] of servers.entries()) {
    const contestant = contestants[index]?.name as string;
    const summary = contested.summary(contestant);
    const middle = (key: keyof LoadResult): number => median((results.get(name) ?? []).map((result) => result[key]));
    bench.report.add(contestant, summary, {
      'requests a second': Math.round(1000 / summary.median).toLocaleString('en'),
      '99 % within': `${middle('slowestMs').toFixed(2)} ms`,
      'processor a request': `${middle('processorTime').toFixed(1)} µs`,
    });
  }
  const [ours, ...peers] = contestants.map(({ name }) => name) as [string, ...string[]];
  const speed = Math.min(...peers.map((peer) => contested.ratio(peer, ours)));
  if (load.target === undefined) bench.report.note(`${load.name}, to the better peer: ${speed.toFixed(2)} ×`);
  else bench.report.target(`${load.name}, to the better peer`, speed, '×', { atLeast: load.target });
}

async function loadServer(directory: string, server: ServedDisk, load: NbdLoad): Promise<LoadResult> {
  const socket = join(directory, `${server.name}.sock`);
  await using running = await startServer(server.command(socket), socket);
  const { duration = secondsPerRun } = load;
  if (duration !== 'once') fio(socket, server.exportName, [...timed('500ms'), ...load.options]);
  const before = processorTimeOf(running.pid);
  const timing = duration === 'once' ? [] : timed(`${duration}s`);
  const way = fio(socket, server.exportName, [...timing, ...load.options]);
  const processorTime = (processorTimeOf(running.pid) - before) / way.total_ios;
  const slowestMs = (way.clat_ns?.percentile?.['99.000000'] ?? 0) / 1e6;
  return { requestsPerSecond: way.iops, slowestMs, processorTime };
}

function timed(duration: string): string[] {
  return [`--runtime=${duration}`, '--time_based'];
}

/** Loads a server with fio, and gives what fio says of it. */
export function fio(socket: string, exportName = '', options: readonly string[] = []): FioJob[string] {
  const common = ['--name=load', '--ioengine=nbd', `--uri=nbd+unix:///${exportName}?socket=${socket}`];
  const { stdout } = run(['fio', ...common, '--group_reporting', '--output-format=json', ...options]);
  const [job] = JSON.parse(stdout.slice(stdout.indexOf('{'))).jobs as [FioJob];
  const way = options.some((option) => /rw=(rand)?write/.test(option)) ? job.write : job.read;
  if (way === undefined) throw new Error('fio did nothing');
  return way;
}

/** In microseconds, of all threads. */
export function processorTimeOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / clockTicksPerSecond;
}

/** The most memory that a process has had, in bytes. */
export function peakMemoryOf(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) * 1024;
}
