/**
 * Serving compressed disks over NBD: an image of the store, beside what qemu-nbd makes of a qcow2 file of the same disk,
 * and such a file by both. `npm run bench nbd-images`
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianDisk } from './runner/debian-disk.ts';
import { dataOf } from './runner/disk-data.ts';
import { compareServers, type NbdLoad, type ServedDisk } from './runner/nbd-load.ts';
import { run, varve } from './runner/program.ts';
import { runBenchmark } from './runner/run-benchmark.ts';

const diskSize = 2 ** 27;
/** What fits into the caches of unpacked chunks. */
const warmSize = 2 ** 24;

const loads: readonly NbdLoad[] = [
  {
    name: 'cold, 128 KiB in order, depth 8',
    options: ['--rw=read', '--bs=128k', '--iodepth=8', `--size=${diskSize}`],
    duration: 'once',
  },
  {
    name: 'cold, 4 KiB at random, depth 32',
    options: ['--rw=randread', '--bs=4k', '--iodepth=32', `--size=${diskSize}`, '--number_ios=8192'],
    duration: 'once',
  },
  {
    name: 'warm, 4 KiB at random in 16 MiB, depth 32',
    options: ['--rw=randread', '--bs=4k', '--iodepth=32', `--size=${warmSize}`],
  },
  {
    name: 'warm, 4 KiB at random in 16 MiB, depth 1',
    options: ['--rw=randread', '--bs=4k', '--iodepth=1', `--size=${warmSize}`],
  },
];

const programs = ['fio', 'qemu-nbd', 'qemu-img'];

await runBenchmark({ title: 'nbd-images: compressed disks on a Unix socket', programs, rounds: 5 }, async (bench) => {
  if (!programs.every(bench.has)) return;
  const raw = join(bench.directory, 'disk.raw');
  const store = join(bench.directory, 'store');
  writeFileSync(raw, dataOf(debianDisk().path, diskSize));
  run(varve('--store', store, 'import', raw, 'disk'));
  const files = ['zstd', 'zlib'].map((compression) => {
    const path = join(bench.directory, `${compression}.qcow2`);
    run(['qemu-img', 'convert', '-c', '-O', 'qcow2', '-o', `compression_type=${compression}`, raw, path]);
    return { compression, path };
  });
  rmSync(raw);
  const peer = (path: string): ServedDisk['command'] => {
    return (socket) => ['qemu-nbd', '-t', '-e', '64', '-r', '-f', 'qcow2', '-k', socket, path];
  };
  const ours = (...disk: string[]): ServedDisk['command'] => {
    return (socket) => varve('--store', store, 'serve', ...disk, '--read-only', '--socket', socket);
  };
  for (const load of loads) {
    const served = [
      { name: 'varve', command: ours('disk') },
      { name: 'qemu-nbd', command: peer(files[0]?.path as string) },
    ];
    await compareServers(bench, served, { ...load, name: `store : zstd qcow2, ${load.name}` });
    for (const { compression, path } of files) {
      const both = [
        { name: 'varve', command: ours(path) },
        { name: 'qemu-nbd', command: peer(path) },
      ];
      await compareServers(bench, both, { ...load, name: `${compression} qcow2, ${load.name}` });
    }
  }
  bench.report.note('cold: the server has just been started; the files are in the page cache in both cases');
});
