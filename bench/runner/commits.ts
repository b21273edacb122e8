import fs from 'node:fs';
import { join } from 'node:path';
import { commitOverlay } from '../../src/image/file-history/commit-overlay.ts';
import { type Contestant, contest } from './contest.ts';
import { run } from './program.ts';
import type { Bench } from './run-benchmark.ts';

/** Commits an overlay with 64 MiB of its own to a qcow2 image like the one at `source`, beside `qemu-img commit`. */
export async function commits(bench: Bench, source: string): Promise<void> {
  if (!bench.has('qemu-img') || !bench.has('qemu-io')) return;
  const folder = join(bench.directory, 'commit');
  const overlay = join(folder, 'overlay.qcow2');
  const contestant = (name: string, work: () => number | Promise<number>): Contestant => ({
    name,
    prepare: () => prepare(folder, source, overlay),
    run: work,
  });
  const mine = contestant('commit of 64 MiB', async () => {
    const start = performance.now();
    await commitOverlay(overlay);
    return performance.now() - start;
  });
  const other = contestant(`${mine.name}, qemu-img`, () => run(['qemu-img', 'commit', '-q', overlay]).milliseconds);
  const result = await contest([mine, other], { rounds: bench.rounds });
  for (const { name } of [mine, other]) bench.report.add(name, result.summary(name));
  bench.report.target(`time, ${mine.name}, ours : qemu-img`, result.ratio(mine.name, other.name), '×', { atMost: 1.2 });
  fs.rmSync(folder, { recursive: true });
}

function prepare(folder: string, source: string, overlay: string): void {
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder);
  const base = join(folder, 'base.qcow2');
  fs.copyFileSync(source, base);
  run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', overlay]);
  run(['qemu-io', '-c', 'write -P 7 100M 32M', '-c', 'write -P 9 1G 32M', overlay]);
  run(['sync', base, overlay]);
}
