/**
 * Changing a file in a disk, all or nothing: from the beginning of a transaction to its commit, beside guestfish on a qcow2
 * overlay and qemu-img commit. `npm run bench transaction`
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { type Contestant, contest } from './runner/contest.ts';
import { hasProgram, run, varve } from './runner/program.ts';
import { type Bench, runBenchmark } from './runner/run-benchmark.ts';

const title = 'transaction: a line is appended to a file of an ext4 of 256 MiB, and committed';
const needed = ['mke2fs', 'debugfs', 'e2fsck', 'qemu-img'];
const line = 'one more line';

await runBenchmark({ title, programs: [...needed, 'guestfish'], rounds: 5 }, async (bench) => {
  if (!needed.every(bench.has)) return;
  if (process.getuid?.() !== 0) return bench.report.note('nothing is measured: mounting needs root');
  const disk = join(bench.directory, 'disk.qcow2');
  const raw = join(bench.directory, 'disk.raw');
  makeDisk(raw);
  run(['qemu-img', 'convert', '-O', 'qcow2', raw, disk]);
  const ours = [onImage(bench, raw), onFile(bench, disk)];
  const result = await contest(ours, { rounds: bench.rounds });
  for (const name of result.names) bench.report.add(name, result.summary(name));
  run(varve('export', 'web', raw, '--force', '--store', join(bench.directory, 'store')));
  // Each round, and the one to warm up.
  bench.report.note(`the image's file has ${linesIn(raw)} lines after ${bench.rounds + 1} transactions`);
  if (!hasProgram('guestfish')) return;
  // One call takes as long as booting a machine: once is enough.
  const theirs = inAppliance(bench, disk);
  const once = await contest([theirs], { rounds: 1, warmUps: 0 });
  bench.report.add(theirs.name, once.summary(theirs.name));
  const ratio = result.summary(ours[0]!.name).median / once.summary(theirs.name).median;
  bench.report.target(`time, varve on an image : ${theirs.name}`, ratio, '×', { atMost: 0.2 });
});

function makeDisk(path: string): void {
  run(['mke2fs', '-q', '-F', '-t', 'ext4', path, '256M']);
  execFileSync('debugfs', ['-w', '-R', 'write /dev/null note', path], { stdio: 'pipe' });
}

/** @throws Error where the file system is not in order */
function linesIn(disk: string): number {
  execFileSync('e2fsck', ['-fn', disk], { stdio: 'pipe' });
  const text = execFileSync('debugfs', ['-R', 'cat /note', disk], { encoding: 'utf8', stdio: 'pipe' });
  return text.split(`${line}\n`).length - 1;
}

function appending(bench: Bench, ...args: string[]): number {
  const mount = join(bench.directory, 'mnt');
  fs.mkdirSync(mount, { recursive: true });
  const script = `echo '${line}' >> '${mount}/note'`;
  return run(varve('tx', ...args, '--mount', mount, '--', 'sh', '-c', script)).milliseconds;
}

function onImage(bench: Bench, raw: string): Contestant {
  const store = join(bench.directory, 'store');
  run(varve('import', raw, 'web', '--store', store));
  return { name: 'varve tx, an image', run: () => appending(bench, 'web', '--store', store) };
}

function onFile(bench: Bench, disk: string): Contestant {
  const copy = join(bench.directory, 'ours.qcow2');
  fs.copyFileSync(disk, copy);
  return { name: 'varve tx, a qcow2 file', run: () => appending(bench, copy) };
}

/** As its manual has it for machines without KVM, where it would hang for minutes otherwise. */
function inAppliance(bench: Bench, disk: string): Contestant {
  const env = { ...process.env, LIBGUESTFS_BACKEND: 'direct', LIBGUESTFS_BACKEND_SETTINGS: 'force_tcg' };
  const [base, overlay] = [join(bench.directory, 'theirs.qcow2'), join(bench.directory, 'overlay.qcow2')];
  fs.copyFileSync(disk, base);
  return {
    name: 'guestfish on an overlay, qemu-img commit',
    run() {
      const start = performance.now();
      run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', overlay]);
      run(['guestfish', '-a', overlay, '-m', '/dev/sda', 'write-append', '/note', `${line}\n`], { env });
      run(['qemu-img', 'commit', '-q', overlay]);
      return performance.now() - start;
    },
  };
}
