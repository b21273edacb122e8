/**
 * Writing to an image: snapshots of a disk under load, by its size, and what a client writes, beside qemu-nbd on a qcow2
 * overlay and nbdkit's cow filter. `npm run bench overlay`
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { memoryDevice } from '../src/block/memory-device.ts';
import { askControl } from '../src/server/control/control-client.ts';
import { imagePath } from '../src/server/control/held-image.ts';
import { ingestDevice } from '../src/store/ingest-device.ts';
import { openStore } from '../src/store/store.ts';
import { compareServers, type NbdLoad, type ServedDisk } from './runner/nbd-load.ts';
import { startServer } from './runner/nbd-servers.ts';
import { run, varve } from './runner/program.ts';
import { type Bench, runBenchmark } from './runner/run-benchmark.ts';
import { summaryOf } from './runner/statistics.ts';

const diskSize = 2 ** 29;
const snapshotCount = 5;

const loads: readonly NbdLoad[] = [
  {
    name: 'write 4 KiB at random, depth 32',
    options: ['--rw=randwrite', '--bs=4k', '--iodepth=32', `--size=${diskSize}`],
    target: 1,
  },
  {
    name: 'write 128 KiB in order, depth 8',
    options: ['--rw=write', '--bs=128k', '--iodepth=8', `--size=${diskSize}`],
    target: 1,
  },
];

const programs = ['fio', 'qemu-nbd', 'qemu-img', 'nbdkit'];

await runBenchmark({ title: 'overlay: images that are written to', programs, rounds: 3 }, async (bench) => {
  if (!programs.every(bench.has)) return;
  for (const [name, size] of [
    ['1 GiB', 2 ** 30],
    ['1 TiB', 2 ** 40],
  ] as const) {
    for (const [dirty, load] of [
      ['idle', []],
      ['2,000 writes of 4 KiB a second', ['--rw=randwrite', '--bs=4k', '--iodepth=4', '--rate_iops=2000']],
      ['64 MiB a second in order', ['--rw=write', '--bs=128k', '--iodepth=4', '--rate=64m']],
    ] as const) {
      await measureSnapshots(bench, `${name}, ${dirty}`, size, load);
    }
  }
  const base = join(bench.directory, 'base.raw');
  writeFileSync(base, '');
  truncateSync(base, diskSize);
  const store = await newStore(bench.directory, diskSize);
  const overlay = join(bench.directory, 'overlay.qcow2');
  const servers: ServedDisk[] = [
    {
      name: 'varve',
      command(socket) {
        run(varve('discard', 'web', '--store', store));
        return varve('serve', 'web', '--store', store, '--socket', socket);
      },
      exportName: 'web',
    },
    {
      name: 'qemu-nbd',
      command(socket) {
        run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', 'raw', overlay]);
        return ['qemu-nbd', '-t', '-e', '64', '-f', 'qcow2', '-k', socket, overlay];
      },
    },
    {
      name: 'nbdkit-cow',
      command: (socket) => ['nbdkit', '-f', '-U', socket, '--filter=cow', 'file', base],
    },
  ];
  for (const load of loads) await compareServers(bench, servers, load);
  bench.report.note('each round begins with an empty overlay over a disk of zeros, in the page cache; nobody flushes');
});

/** A store with the image `web`, a disk of zeros. Its path. */
async function newStore(directory: string, size: number): Promise<string> {
  const path = join(directory, `store-${size}`);
  await using store = await openStore(path, { create: true });
  await using session = store.beginIngest('a benchmark');
  const content = await ingestDevice(session, memoryDevice(size), {});
  if (store.images.find('web') === undefined) {
    store.edit.createImage('web', { content, parent: undefined, message: '', author: '', time: Date.now() });
  }
  return path;
}

/** Takes snapshots of a served disk, one after the other as soon as each is stored, while fio loads it as `load` says. */
async function measureSnapshots(bench: Bench, name: string, size: number, load: readonly string[]): Promise<void> {
  const path = await newStore(bench.directory, size);
  run(varve('discard', 'web', '--store', path));
  const socket = join(bench.directory, 'live.sock');
  await using _server = await startServer(varve('serve', 'web', '--store', path, '--socket', socket), socket);
  await using store = await openStore(path);
  const { id, uuid } = store.images.get('web');
  const control = store.leases.writerOf(id, '')?.socket as string;
  const fio = load.length === 0 ? undefined : startLoad(socket, size, load);
  const times: number[] = [];
  for (let count = 0; count < snapshotCount; count += 1) {
    await setTimeout(300);
    const start = performance.now();
    await askControl(control, { method: 'POST', path: `${imagePath(uuid)}/snapshots`, message: {} });
    times.push(performance.now() - start);
    while (store.overlays.pending(id).length > 0) await setTimeout(20);
  }
  const slowest = fio === undefined ? undefined : await slowestRequest(fio);
  const figures: Record<string, string> =
    slowest === undefined ? {} : { 'slowest request': `${slowest.toFixed(1)} ms` };
  const summary = summaryOf(times);
  bench.report.add(`snapshot: ${name}`, summary, figures);
  bench.report.target(`snapshot: ${name}, the slowest of ${snapshotCount}`, summary.maximum, 'ms', { atMost: 100 });
  if (slowest !== undefined) bench.report.target(`${name}, slowest request`, slowest, 'ms', { atMost: 50 });
}

function startLoad(socket: string, size: number, load: readonly string[]): ChildProcess {
  const common = ['--name=load', '--ioengine=nbd', `--uri=nbd+unix:///web?socket=${socket}`, `--size=${size}`];
  return spawn('fio', [...common, '--time_based', '--runtime=600', '--output-format=json', ...load], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** Ends the load. The longest that a request of it took, in milliseconds. */
async function slowestRequest(fio: ChildProcess): Promise<number> {
  const output = text(fio.stdout!);
  fio.kill('SIGINT');
  const printed = await output;
  const [job] = JSON.parse(printed.slice(printed.indexOf('{'), printed.lastIndexOf('}') + 1)).jobs;
  return job.write.clat_ns.max / 1e6;
}
