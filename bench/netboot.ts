/** Serving what machines start from, beside dnsmasq and tftpd-hpa, with curl as the client. `npm run bench netboot` */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pattern } from '../src/conformance/device-content.ts';
import { type Contestant, contest } from './runner/contest.ts';
import { run } from './runner/program.ts';
import { runBenchmark } from './runner/run-benchmark.ts';
import { serveTftpCommand } from './runner/serve-tftp.ts';

const loads = [
  { name: 'small', length: 74_000, count: 400 },
  { name: 'long', length: 851_000, count: 100 },
];
const parallel = 50;
const blockSize = 1468;

type Server = (directory: string, port: number) => string[];

const servers: Readonly<Record<string, Server>> = {
  varve: (directory, port) => serveTftpCommand(directory, addressOf(port)),
  dnsmasq: (directory, port) => [
    'dnsmasq',
    ...['--no-daemon', '--conf-file=/dev/null', '--port=0', '--enable-tftp', `--tftp-root=${directory}`],
    // It has no option for its port alone: with one address each, all three can listen at once.
    ...['--tftp-max=200', `--listen-address=${addressOf(port)}`, '--bind-interfaces', '--user=root'],
  ],
  'in.tftpd': (directory, port) => [
    'in.tftpd',
    '-L',
    '--secure',
    '-u',
    'root',
    '-a',
    `${addressOf(port)}:69`,
    directory,
  ],
};

const programs = ['curl', 'dnsmasq', 'in.tftpd'];

await runBenchmark({ title: 'netboot: files over TFTP on loopback', programs, rounds: 5 }, async (bench) => {
  if (!programs.every(bench.has)) return;
  if (process.getuid?.() !== 0) {
    bench.report.note('nothing was measured: only root may use port 69');
    return;
  }
  for (const { length, name } of loads) writeFileSync(join(bench.directory, name), pattern(length, 1));
  const running = Object.entries(servers).map(([name, command], index) => {
    const [program = '', ...args] = command(bench.directory, index + 1);
    return { name, host: addressOf(index + 1), child: spawn(program, args, { stdio: 'ignore' }) };
  });
  try {
    for (const { host } of running) await untilItAnswers(host);
    for (const load of loads) {
      const contestants: Contestant[] = running.map(({ name, host }) => ({
        name: `${load.name}, ${name}`,
        run: () => fetchAll(host, load),
      }));
      const result = await contest(contestants, { rounds: bench.rounds });
      for (const { name } of contestants) {
        const summary = result.summary(name);
        const perSecond = (load.count / summary.median) * 1000;
        const rate = `${((perSecond * load.length) / 1e6).toFixed(0)} MB/s`;
        bench.report.add(name, summary, { 'files/s': perSecond.toFixed(0), rate });
      }
      const [ours, dnsmasq, tftpd] = contestants.map(({ name }) => name);
      const level = result.ratio(ours!, dnsmasq!);
      bench.report.target(`time, ${load.name}, ours : dnsmasq`, level, '×', { atMost: 1 });
      bench.report.target(`time, ${load.name}, ours : tftpd-hpa`, result.ratio(ours!, tftpd!), '×', { atMost: 1 });
    }
    bench.report.note(
      `${parallel} transfers at once by one curl, blocks of ${blockSize} bytes; its start is measured too`,
    );
  } finally {
    for (const { child } of running) {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
  }
});

function addressOf(number: number): string {
  return `127.0.0.1${number}`;
}

function fetchAll(host: string, { name, count }: { name: string; count: number }): number {
  const files = Array.from({ length: count }, () => [`tftp://${host}/${name}`, '-o', '/dev/null']).flat();
  const options = ['-sf', '--tftp-blksize', String(blockSize), '-Z', '--parallel-max', String(parallel)];
  return run(['curl', ...options, ...files]).milliseconds;
}

async function untilItAnswers(host: string): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const { status } = spawnSync('curl', ['-sf', '-m', '1', '-o', '/dev/null', `tftp://${host}/small`]);
    if (status === 0) return;
    await sleep(100);
  }
  throw new Error(`nobody serves at ${host}`);
}
