/** A kernel for 64 machines at once over HTTP, beside nginx, with wrk as the clients. `npm run bench netboot-http` */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pattern } from '../src/conformance/device-content.ts';
import { type Contestant, contest } from './runner/contest.ts';
import { run } from './runner/program.ts';
import { runBenchmark } from './runner/run-benchmark.ts';
import { serveHttpCommand } from './runner/serve-http.ts';

const kernelLength = 14_000_000;
const clients = 64;
const seconds = 3;
const host = '127.0.0.1';
const ports = { varve: 18_080, nginx: 18_081, 'nginx, without sendfile': 18_082 };

const programs = ['nginx', 'wrk'];

await runBenchmark({ title: 'netboot: a kernel over HTTP on loopback', programs, rounds: 5 }, async (bench) => {
  if (!programs.every(bench.has)) return;
  chmodSync(bench.directory, 0o755);
  writeFileSync(join(bench.directory, 'kernel'), pattern(kernelLength, 1));
  const commands = {
    varve: serveHttpCommand(bench.directory, host, ports.varve),
    nginx: nginxCommand(bench.directory, ports.nginx, 'on'),
    'nginx, without sendfile': nginxCommand(bench.directory, ports['nginx, without sendfile'], 'off'),
  };
  const running = Object.entries(commands).map(([name, [program = '', ...args]]) => ({
    ...{ name: name as keyof typeof ports, processorMs: 0, bytes: 0 },
    child: spawn(program, args, { stdio: 'ignore' }),
  }));
  try {
    for (const { name } of running) await untilItAnswers(ports[name]);
    const contestants: Contestant[] = running.map((server) => ({
      name: server.name,
      run: () => {
        const before = processorMs(server.child.pid!);
        const bytesPerSecond = fetchFor(ports[server.name]);
        server.processorMs += processorMs(server.child.pid!) - before;
        server.bytes += bytesPerSecond * seconds;
        return ((clients * kernelLength) / bytesPerSecond) * 1000;
      },
    }));
    const result = await contest(contestants, { rounds: bench.rounds });
    for (const { bytes, name, processorMs: time } of running) {
      const summary = result.summary(name);
      const rate = `${((clients * kernelLength) / summary.median / 1e6).toFixed(2)} GB/s`;
      bench.report.add(name, summary, { rate, 'server, ms a GB': (time / (bytes / 1e9)).toFixed(0) });
    }
    bench.report.target('time, ours : nginx', result.ratio('varve', 'nginx'), '×', { atMost: 1 });
    bench.report.note(
      `times are those of ${clients} kernels of ${kernelLength / 1e6} MB, by ${clients} connections of wrk`,
    );
    bench.report.note(
      'nginx has one process and no log; its sendfile does not copy on loopback, as it would not to most cards',
    );
  } finally {
    for (const { child } of running) {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
  }
});

function nginxCommand(directory: string, port: number, sendfile: 'on' | 'off'): string[] {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${directory}/tmp;`,
  );
  const config = join(directory, `nginx-${sendfile}.conf`);
  writeFileSync(
    config,
    `daemon off; master_process off; user root; pid ${directory}/nginx-${sendfile}.pid; error_log ${directory}/error.log;
     events {} http { access_log off; sendfile ${sendfile}; tcp_nopush on; output_buffers 2 256k; ${paths.join(' ')}
     server { listen ${host}:${port}; root ${directory}; } }`,
  );
  return ['nginx', '-c', config, '-p', directory];
}

/** @returns bytes a second */
function fetchFor(port: number): number {
  const { stdout } = run(['wrk', '-t1', `-c${clients}`, `-d${seconds}s`, `http://${host}:${port}/kernel`]);
  const [, figure = '', unit = ''] = /^Transfer\/sec:\s+([\d.]+)([KMGT]?)B$/m.exec(stdout) ?? [];
  return Number(figure) * 1024 ** ' KMGT'.indexOf(unit || ' ');
}

/** What a process has had of the processors so far, in milliseconds. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function untilItAnswers(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const answer = await fetch(`http://${host}:${port}/kernel`, { method: 'HEAD' }).catch(() => undefined);
    if (answer?.status === 200) return;
    await sleep(100);
  }
  throw new Error(`nobody serves at port ${port}`);
}
