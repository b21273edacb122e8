import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Contestant, contest } from './contest.ts';
import { run, varve } from './program.ts';
import type { Bench } from './run-benchmark.ts';

const pieces = 200;

/** `varve snapshot` and `varve restore` of a disk file of 100 GiB, from the shell, beside what people do by hand. */
export async function fileSnapshots(bench: Bench): Promise<void> {
  if (!bench.has('qemu-img') || !bench.has('qemu-io')) return;
  const directory = join(bench.directory, 'snapshots');
  const disk = join(directory, 'disk.qcow2');
  const prepare = (): void => makeDisk(directory, disk);
  const snapshot: Contestant = {
    name: 'snapshot of a file of 100 GiB',
    prepare,
    run: () => run(varve('snapshot', disk)).milliseconds,
  };
  const byHand: Contestant = { name: 'the same, mv and qemu-img create', prepare, run: () => snapshotByHand(disk) };
  const restore: Contestant = {
    name: 'restore of a file of 100 GiB',
    prepare() {
      prepare();
      run(varve('snapshot', disk));
    },
    run: () => run(varve('restore', disk, '--to', earlierOf(directory))).milliseconds,
  };
  const result = await contest([snapshot, byHand, restore], { rounds: bench.rounds });
  for (const name of result.names) bench.report.add(name, result.summary(name));
  for (const { name } of [snapshot, restore]) {
    bench.report.target(`time, ${name}`, result.summary(name).median, 'ms', { atMost: 1000 });
  }
  rmSync(directory, { recursive: true });
}

/** A disk of which 200 pieces of 64 KiB, over all of it, are there. */
function makeDisk(directory: string, disk: string): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  run(['qemu-img', 'create', '-q', '-f', 'qcow2', disk, '100G']);
  const writes = Array.from({ length: pieces }, (_, index) => `write -q ${index * 512}M 64k\n`);
  run(['qemu-io', '-f', 'qcow2', disk], { input: writes.join('') });
}

function snapshotByHand(disk: string): number {
  const base = disk.replace('.qcow2', '_base.qcow2');
  const start = performance.now();
  renameSync(disk, base);
  run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', disk]);
  return performance.now() - start;
}

function earlierOf(directory: string): string {
  return join(directory, readdirSync(directory).find((name) => name.startsWith('disk_')) ?? '');
}
