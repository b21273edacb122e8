/**
 * Looking into disks, each command as a process of its own: beside a bare Node, beside a loop mount, and beside libguestfs.
 * `npm run bench inside`; `--rounds` is for ours, libguestfs runs once.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Contestant, contest } from './runner/contest.ts';
import { debianDisk } from './runner/debian-disk.ts';
import { inAppliance } from './runner/in-appliance.ts';
import { type PackageSnapshots, packageSnapshots } from './runner/package-snapshots.ts';
import { bareNode, run, varve } from './runner/program.ts';
import { type Bench, runBenchmark } from './runner/run-benchmark.ts';

const title = 'inside: files, facts and changes of a disk with a Debian root';
const programs = ['virt-cat', 'virt-ls', 'virt-inspector', 'virt-diff', 'virt-df'];
const file = '/etc/os-release';
const targetMs = 500;
const node = 'node -e 0';

await runBenchmark({ title, programs, rounds: 15 }, async (bench) => {
  const { path, origin } = debianDisk();
  bench.report.note(`the disk of 2 GiB holds ${origin}`);
  const store = join(bench.directory, 'store');
  const compressed = join(bench.directory, 'compressed.qcow2');
  run(varve('convert', path, compressed, '--compress'));
  await cats(bench, path, compressed, store);
  await lists(bench, path);
  await inspections(bench, path, compressed);
  const small = packageSnapshots(path, '20G', bench.directory, store);
  await diffs(bench, store, small, packageSnapshots(path, '200G', bench.directory, store));
  await inAppliance(bench, ['virt-cat', '-a', path, file]);
  await inAppliance(bench, ['virt-ls', '-lR', '-a', path, '/']);
  await inAppliance(bench, ['virt-inspector', '-a', path]);
  await inAppliance(bench, ['virt-diff', '-a', small.before, '-A', small.after]);
  await inAppliance(bench, ['virt-df', '-a', path]);
});

/** One file, from each kind of disk. */
async function cats(bench: Bench, raw: string, compressed: string, store: string): Promise<void> {
  const plain = join(bench.directory, 'plain.qcow2');
  run(varve('convert', raw, plain));
  run(varve('import', raw, 'web', '--store', store));
  const contestants = [
    running('varve cat, raw', varve('cat', `${raw}:${file}`)),
    running('varve cat, qcow2', varve('cat', `${plain}:${file}`)),
    running('varve cat, compressed qcow2', varve('cat', `${compressed}:${file}`)),
    running('varve cat, store', varve('cat', `web:${file}`, '--store', store)),
  ];
  const result = await contest([running(node, bareNode), ...contestants], { rounds: bench.rounds });
  for (const name of result.names) bench.report.add(name, result.summary(name));
  for (const { name } of contestants) {
    bench.report.target(`time, ${name} : ${node}`, result.ratio(name, node), '×', { atMost: 3 });
  }
}

/** All names, and all that `ls -l` shows, beside a kernel that has the disk mounted. */
async function lists(bench: Bench, raw: string): Promise<void> {
  const ours = running('varve ls -R', varve('ls', '-R', `${raw}:/`));
  const long = running('varve ls -lR', varve('ls', '-lR', `${raw}:/`));
  const df = running('varve df', varve('df', raw));
  if (process.getuid?.() !== 0) bench.report.note('without find on a loop mount, which needs root');
  const mount = process.getuid?.() === 0 ? mounted(bench, raw) : undefined;
  try {
    const theirs = mount === undefined ? [] : [running('find, loop mount', ['find', mount])];
    const cold = mount === undefined ? [] : [mountedForOnce(bench, raw)];
    const result = await contest([ours, long, df, ...theirs, ...cold], { rounds: bench.rounds });
    for (const name of result.names) bench.report.add(name, result.summary(name));
    for (const { name } of theirs) {
      bench.report.target(`time, ${ours.name} : ${name}`, result.ratio(ours.name, name), '×', { atMost: 2 });
    }
  } finally {
    if (mount !== undefined) run(['umount', mount]);
  }
}

function mounted(bench: Bench, disk: string): string {
  const directory = join(bench.directory, 'mount');
  mkdirSync(directory);
  run(['mount', '-o', 'loop,ro', disk, directory]);
  return directory;
}

/** What it takes where the disk is not mounted yet. */
function mountedForOnce(bench: Bench, disk: string): Contestant {
  const directory = join(bench.directory, 'mounted-once');
  mkdirSync(directory);
  const script = 'mount -o loop,ro "$0" "$1" && find "$1"; umount "$1"';
  return running('mount, find, umount', ['sh', '-c', script, disk, directory]);
}

async function inspections(bench: Bench, raw: string, compressed: string): Promise<void> {
  await withinTarget(bench, [
    running('varve inspect, raw', varve('inspect', raw)),
    running('varve inspect, compressed qcow2', varve('inspect', compressed)),
    running('varve inspect --cyclonedx, raw', varve('inspect', raw, '--cyclonedx')),
  ]);
}

async function diffs(bench: Bench, store: string, small: PackageSnapshots, large: PackageSnapshots): Promise<void> {
  const diff = (name: string, { first, second }: PackageSnapshots, ...options: string[]) =>
    running(name, varve('diff', ...options, first, second, '--store', store));
  await withinTarget(bench, [
    diff('varve diff, 20 GiB', small),
    diff('varve diff, 200 GiB', large),
    diff('varve diff --ranges, 200 GiB', large, '--ranges'),
  ]);
}

async function withinTarget(bench: Bench, contestants: readonly Contestant[]): Promise<void> {
  const result = await contest(contestants, { rounds: bench.rounds });
  for (const name of result.names) {
    bench.report.add(name, result.summary(name));
    bench.report.target(name, result.summary(name).median, 'ms', { atMost: targetMs });
  }
}

function running(name: string, command: readonly string[]): Contestant {
  return { name, run: () => run(command).milliseconds };
}
