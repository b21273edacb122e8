/** Disk files beside `qemu-img`: converting them, reading through chains, snapshots. `npm run bench formats` */
import fs from 'node:fs';
import { join } from 'node:path';
import { formatSize } from '../src/base/size.ts';
import type { BlockDevice } from '../src/block/block-device.ts';
import { openFileDevice } from '../src/block/file-device.ts';
import { openImage, writableFormatNamed } from '../src/format/formats.ts';
import type { FormatDevice, WriteImageOptions } from '../src/format/image-format.ts';
import { syncedFileTarget } from '../src/image/synced-file-target.ts';
import { chainMemory, chainReads } from './runner/chain-reads.ts';
import { commits } from './runner/commits.ts';
import { type Contestant, contest } from './runner/contest.ts';
import { debianDisk } from './runner/debian-disk.ts';
import { fileSnapshots } from './runner/file-snapshots.ts';
import { run, runWithMemory } from './runner/program.ts';
import { type Bench, runBenchmark } from './runner/run-benchmark.ts';

type Compression = NonNullable<WriteImageOptions['compression']>;

/** From a file to a file. */
interface Conversion {
  readonly name: string;
  readonly source: string;
  readonly format: 'raw' | 'qcow2' | 'vdi' | 'vhd' | 'vhdx' | 'vmdk';
  readonly compression: Compression;
}

const title = 'formats: disk files, beside qemu-img and qemu-io';
const qemuOptions = { none: [], deflate: ['-c'], zstd: ['-c', '-o', 'compression_type=zstd'] } as const;
const qemuFormats = {
  raw: ['raw'],
  qcow2: ['qcow2'],
  vdi: ['vdi'],
  vhd: ['vpc'],
  vhdx: ['vhdx'],
  vmdk: ['vmdk', '-o', 'subformat=streamOptimized'],
} as const;
const randomReadCount = 5000;

async function open(path: string): Promise<FormatDevice> {
  return openImage(await openFileDevice(path, { readOnly: true }), { name: path });
}

/** What the child process does; it prints how many milliseconds that took, without its own start. */
async function convert(source: string, target: string, format: string, compression: string): Promise<void> {
  const start = performance.now();
  {
    await using disk = await open(source);
    await using file = await fs.promises.open(target, 'wx');
    const written = syncedFileTarget(file, target);
    await writableFormatNamed(format).write(disk, written, { compression: compression as Compression });
    await file.datasync();
  }
  console.log(performance.now() - start);
}

function ours({ compression, format, source }: Conversion, target: string): { milliseconds: number; memory: number } {
  const command = [process.execPath, import.meta.filename, '--convert', source, target, format, compression];
  const { stdout, peakMemory = 0 } = runWithMemory(command);
  return { milliseconds: Number(stdout), memory: peakMemory };
}

function theirs({ compression, format, source }: Conversion, target: string): number {
  const command = ['qemu-img', 'convert', '-m', '16', '-W', '-t', 'writeback', '-O', ...qemuFormats[format]];
  return run([...command, ...qemuOptions[compression], source, target]).milliseconds;
}

/** What the run before has written costs the next one otherwise. */
function startClean(target: string): void {
  fs.rmSync(target, { force: true });
  run(['sync']);
}

/** Measures one conversion, and leaves what we made of it at the returned path. */
async function compare(bench: Bench, conversion: Conversion): Promise<string> {
  const { name } = conversion;
  const target = join(bench.directory, `${name.replaceAll(/\W+/g, '-')}.${conversion.format}`);
  const theirTarget = `${target}.qemu`;
  let memory = 0;
  const mine: Contestant = {
    name,
    prepare: () => startClean(target),
    run() {
      const result = ours(conversion, target);
      memory = Math.max(memory, result.memory);
      return result.milliseconds;
    },
  };
  const other: Contestant = {
    name: `${name}, qemu-img`,
    prepare: () => startClean(theirTarget),
    run: () => theirs(conversion, theirTarget),
  };
  const all = bench.has('qemu-img') ? [mine, other] : [mine];
  const result = await contest(all, { rounds: bench.rounds });
  const figures = { memory: memory === 0 ? '' : formatSize(memory), file: allocated(target) };
  bench.report.add(name, result.summary(name), figures);
  if (all.length > 1) {
    bench.report.add(other.name, result.summary(other.name), { file: allocated(theirTarget) });
    bench.report.target(`time, ${name}, ours : qemu-img`, result.ratio(name, other.name), '×', {
      atMost: conversion.format === 'qcow2' && conversion.compression !== 'none' ? 1 : 1.2,
    });
  }
  fs.rmSync(theirTarget, { force: true });
  return target;
}

function allocated(path: string): string {
  return formatSize(fs.statSync(path).blocks * 512);
}

/** Random reads of 4 KiB inside a disk's data. */
async function randomReads(bench: Bench, name: string, path: string): Promise<void> {
  await using disk = await open(path);
  const starts = await dataStarts(disk);
  const target = new Uint8Array(4096);
  const reader: Contestant = {
    name: `a random 4 KiB, ${name}`,
    async run() {
      const start = performance.now();
      for (let index = 0; index < randomReadCount; index += 1) {
        const pending = disk.read(target, starts[(index * 7919) % starts.length]!);
        if (pending !== undefined) await pending;
      }
      return (performance.now() - start) / randomReadCount;
    },
  };
  const result = await contest([reader], { rounds: bench.rounds });
  bench.report.add(reader.name, result.summary(reader.name));
}

async function dataStarts(disk: BlockDevice): Promise<number[]> {
  const starts: number[] = [];
  for await (const { kind, length, offset } of disk.extents(0, disk.size)) {
    for (let start = 0; kind === 'data' && start + 4096 <= length; start += 65536) starts.push(offset + start);
  }
  return starts;
}

/** A terabyte of which 100 MiB are there. */
async function sparseTerabyte(bench: Bench): Promise<void> {
  if (!bench.has('qemu-img') || !bench.has('qemu-io')) return;
  const source = join(bench.directory, 'terabyte.qcow2');
  run(['qemu-img', 'create', '-q', '-f', 'qcow2', source, '1T']);
  run(['qemu-io', '-c', 'write 0 64M', '-c', 'write 512G 20M', '-c', 'write 1023G 16M', source]);
  for (const format of ['raw', 'qcow2'] as const) {
    const target = await compare(bench, { name: `sparse 1 TiB → ${format}`, source, format, compression: 'none' });
    fs.rmSync(target);
  }
}

async function measure(bench: Bench): Promise<void> {
  const disk = debianDisk();
  const toQcow2 = (name: string, compression: Compression): Promise<string> =>
    compare(bench, { name, source: disk.path, format: 'qcow2', compression });
  const images = {
    qcow2: await toQcow2('raw → qcow2', 'none'),
    'qcow2 zstd': await toQcow2('raw → qcow2 zstd', 'zstd'),
    'qcow2 deflate': await toQcow2('raw → qcow2 deflate', 'deflate'),
  };
  for (const [name, source] of Object.entries(images)) {
    const raw = await compare(bench, { name: `${name} → raw`, source, format: 'raw', compression: 'none' });
    run(['cmp', disk.path, raw]);
  }
  for (const format of ['vdi', 'vhd', 'vhdx', 'vmdk'] as const) {
    fs.rmSync(await compare(bench, { name: `raw → ${format}`, source: disk.path, format, compression: 'none' }));
  }
  await commits(bench, images.qcow2);
  for (const [name, path] of Object.entries({ raw: disk.path, ...images })) await randomReads(bench, name, path);
  await sparseTerabyte(bench);
  await chainReads(bench);
  chainMemory(bench);
  await fileSnapshots(bench);
  bench.report.note('qemu-img: -m 16 -W, so that both use all processors');
  bench.report.note(`the disk holds ${disk.origin}; all files are in the page cache`);
  bench.report.note('ours: in a process of its own, without the time that Node takes to start and load the sources');
}

const [first, source = '', target = '', format = '', compression = ''] = process.argv.slice(2);
if (first === '--convert') await convert(source, target, format, compression);
else await runBenchmark({ title, programs: ['qemu-img', 'qemu-io'], rounds: 5 }, measure);
