/** Serving a raw disk file over NBD, beside qemu-nbd and nbdkit, with fio as the client. `npm run bench nbd` */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { debianDisk } from './runner/debian-disk.ts';
import { dataOf } from './runner/disk-data.ts';
import { compareServers, fio, type NbdLoad, peakMemoryOf, type ServedDisk } from './runner/nbd-load.ts';
import { startServer } from './runner/nbd-servers.ts';
import { varve } from './runner/program.ts';
import { runBenchmark } from './runner/run-benchmark.ts';

const diskSize = 2 ** 29;
const pieceLength = 2 ** 27;

const small = ['--bs=4k', `--size=${diskSize}`];
const long = ['--bs=128k', `--size=${diskSize}`, '--iodepth=8'];
const four = ['--numjobs=4', '--thread'];
const loads: readonly NbdLoad[] = [
  { name: 'read 4 KiB at random, depth 32', options: ['--rw=randread', ...small, '--iodepth=32'], target: 1.5 },
  { name: 'write 4 KiB at random, depth 32', options: ['--rw=randwrite', ...small, '--iodepth=32'], target: 1.5 },
  { name: 'read 4 KiB at random, depth 1', options: ['--rw=randread', ...small, '--iodepth=1'], target: 0.9 },
  { name: 'write 4 KiB at random, depth 1', options: ['--rw=randwrite', ...small, '--iodepth=1'], target: 0.9 },
  { name: 'read 128 KiB in order, depth 8', options: ['--rw=read', ...long], target: 1 },
  { name: 'write 128 KiB in order, depth 8', options: ['--rw=write', ...long], target: 1 },
  { name: 'read 4 KiB, depth 32, 4 clients', options: ['--rw=randread', ...small, '--iodepth=32', ...four] },
  { name: 'write 4 KiB, depth 32, 4 clients', options: ['--rw=randwrite', ...small, '--iodepth=32', ...four] },
  { name: 'read 128 KiB, depth 8, 4 clients', options: ['--rw=read', ...long, ...four] },
  { name: 'write 128 KiB, depth 8, 4 clients', options: ['--rw=write', ...long, ...four] },
];

const programs = ['fio', 'qemu-nbd', 'nbdkit'];

await runBenchmark({ title: 'nbd: a raw file served on a Unix socket', programs, rounds: 5 }, async (bench) => {
  if (!programs.every(bench.has)) return;
  const raw = join(bench.directory, 'disk.raw');
  makeDisk(raw);
  const servers: ServedDisk[] = [
    { name: 'varve', command: (socket) => varve('serve', raw, '--socket', socket) },
    { name: 'qemu-nbd', command: (socket) => ['qemu-nbd', '-t', '-e', '64', '-f', 'raw', '-k', socket, raw] },
    { name: 'nbdkit', command: (socket) => ['nbdkit', '-f', '-U', socket, 'file', raw] },
  ];
  for (const load of loads) await compareServers(bench, servers, load);
  for (const { command, name } of servers) {
    const socket = join(bench.directory, 'many.sock');
    await using server = await startServer(command(socket), socket);
    const many = ['--iodepth=32', '--numjobs=64', '--thread', '--runtime=2', '--time_based'];
    fio(socket, '', ['--rw=randread', ...small, ...many]);
    const megabytes = peakMemoryOf(server.pid) / 1e6;
    const what = `memory of ${name} with 64 clients at depth 32`;
    if (name === 'varve') bench.report.target(what, megabytes, 'MB', { atMost: 150 });
    else bench.report.note(`${what}: ${megabytes.toFixed(0)} MB`);
  }
  bench.report.note('each server is started anew for each round, on the same raw file, in the page cache');
});

/** All of it is data, so that nobody can answer with holes. */
function makeDisk(path: string): void {
  const data = dataOf(debianDisk().path, pieceLength);
  const file = openSync(path, 'w');
  for (let offset = 0; offset < diskSize; offset += pieceLength) writeSync(file, data, 0, pieceLength, offset);
  closeSync(file);
}
