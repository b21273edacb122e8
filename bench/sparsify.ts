/**
 * Giving back what a file system does not use, beside virt-sparsify --in-place, and fstrim through a loop device.
 * `npm run bench sparsify`
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { type Contestant, contest } from './runner/contest.ts';
import { noise } from './runner/noise.ts';
import { hasProgram, run, varve } from './runner/program.ts';
import { type Bench, runBenchmark } from './runner/run-benchmark.ts';

const mebibyte = 2 ** 20;
const title = 'sparsify: an ext4 of 2 GiB with 300 MB deleted, in place';
const needed = ['mke2fs', 'debugfs', 'e2fsck'];
const programs = [...needed, 'virt-sparsify', 'fstrim', 'losetup'];

await runBenchmark({ title, programs, rounds: 5 }, async (bench) => {
  if (!needed.every(bench.has)) return;
  const disk = join(bench.directory, 'disk.raw');
  makeDisk(disk, bench.directory);
  bench.report.note(`the disk takes ${storedMebibytes(disk)} MiB before`);
  const ours = contestant(bench, disk, 'varve', (path) => run(varve('sparsify', '--in-place', path)).milliseconds);
  const others: Contestant[] = [];
  const directory = join(bench.directory, 'mnt');
  if (process.getuid?.() === 0 && hasProgram('fstrim')) {
    fs.mkdirSync(directory);
    others.push(contestant(bench, disk, 'loop, mount, fstrim', (path) => trimMounted(path, directory)));
  } else bench.report.note('without fstrim, which needs root');
  const result = await contest([ours, ...others], { rounds: bench.rounds });
  for (const name of result.names) bench.report.add(name, result.summary(name), sizeOf(bench, name));
  // One call takes as long as booting a machine: once is enough.
  const appliance = hasProgram('virt-sparsify')
    ? contestant(bench, disk, 'virt-sparsify', sparsifyInMachine)
    : undefined;
  if (appliance !== undefined) {
    const once = await contest([appliance], { rounds: 1, warmUps: 0 });
    bench.report.add(appliance.name, once.summary(appliance.name), sizeOf(bench, appliance.name));
  }
  bench.report.target('time of varve sparsify --in-place', result.summary(ours.name).median, 'ms', { atMost: 300 });
  const mine = storedMebibytes(copyOf(bench, ours.name));
  for (const { name } of [...others, ...(appliance ? [appliance] : [])]) {
    bench.report.target(`size, varve : ${name}`, mine / storedMebibytes(copyOf(bench, name)), '×', { atMost: 1.05 });
  }
  execFileSync('e2fsck', ['-fn', copyOf(bench, ours.name)], { stdio: 'pipe' });
  bench.report.note('e2fsck -fn finds nothing wrong with what varve left');
});

/** 100 MB in files that stay, and 300 MB in files that were deleted. */
function makeDisk(disk: string, directory: string): void {
  run(['mke2fs', '-q', '-F', '-t', 'ext4', disk, '2G']);
  const file = join(directory, 'file');
  const commands: string[] = [];
  for (let index = 0; index < 40; index += 1) {
    fs.writeFileSync(file, noise(index, 10e6));
    execFileSync('debugfs', ['-w', '-R', `write ${file} file${index}`, disk], { stdio: 'pipe' });
    if (index % 4 !== 0) commands.push(`rm file${index}`);
  }
  execFileSync('debugfs', ['-w', '-f', '-', disk], { input: `${commands.join('\n')}\n`, stdio: 'pipe' });
}

function copyOf(bench: Bench, name: string): string {
  return join(bench.directory, `${name.replaceAll(/\W+/g, '-')}.raw`);
}

function contestant(bench: Bench, disk: string, name: string, work: (path: string) => number): Contestant {
  const path = copyOf(bench, name);
  return {
    name,
    prepare() {
      run(['cp', '--sparse=always', disk, path]);
      run(['sync', path]);
    },
    run: () => work(path),
  };
}

function trimMounted(path: string, directory: string): number {
  const start = performance.now();
  const device = run(['losetup', '--find', '--show', path]).stdout.trim();
  try {
    run(['mount', device, directory]);
    run(['fstrim', directory]);
    run(['umount', directory]);
  } finally {
    run(['losetup', '--detach', device]);
  }
  return performance.now() - start;
}

function sparsifyInMachine(path: string): number {
  const env = { ...process.env, LIBGUESTFS_BACKEND: 'direct', LIBGUESTFS_BACKEND_SETTINGS: 'force_tcg' };
  return run(['virt-sparsify', '--quiet', '--in-place', path], { env }).milliseconds;
}

function sizeOf(bench: Bench, name: string): Record<string, string> {
  return { 'the file takes': `${storedMebibytes(copyOf(bench, name))} MiB` };
}

function storedMebibytes(path: string): number {
  return Math.round((fs.statSync(path).blocks * 512) / mebibyte);
}
