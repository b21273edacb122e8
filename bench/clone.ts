/** `varve clone` from the shell beside a bare Node, for small and huge disks and histories. `npm run bench clone` */
import { join } from 'node:path';
import { projectDirectory } from '../scripts/setup/project.mjs';
import { memoryDevice } from '../src/block/memory-device.ts';
import { addSnapshot, buildStore, repeatSnapshots } from './runner/build-store.ts';
import { type Contestant, contest } from './runner/contest.ts';
import { noise } from './runner/noise.ts';
import { bareNode, run, varve } from './runner/program.ts';
import { type Bench, runBenchmark } from './runner/run-benchmark.ts';

const gibibyte = 2 ** 30;
const tebibyte = 2 ** 40;
const title = 'clone: a new image from the newest snapshot, from the shell';

await runBenchmark({ title, rounds: 30 }, async (bench) => {
  const node: Contestant = { name: 'node -e 0', run: () => run(bareNode).milliseconds };
  const small = await cloner(bench, '1 GiB, 1 snapshot', gibibyte, 1);
  const huge = await cloner(bench, '1 TiB, 1 snapshot', tebibyte, 1);
  const old = await cloner(bench, '1 GiB, 10,000 snapshots', gibibyte, 10_000);
  const shell = { ...small, name: '1 GiB, by ./varve in a clone', run: (round: number) => cloneByShell(bench, round) };
  const result = await contest([node, small, huge, old, shell], { rounds: bench.rounds, warmUps: 3 });
  for (const name of result.names) bench.report.add(name, result.summary(name));
  for (const { name } of [small, huge, old]) {
    bench.report.target(`time, ${name} : node -e 0`, result.ratio(name, node.name), '×', { atMost: 3 });
  }
  bench.report.target('time, 1 TiB : 1 GiB', result.ratio(huge.name, small.name), '×', { atMost: 1.1 });
  bench.report.target('time, 10,000 snapshots : 1', result.ratio(old.name, small.name), '×', { atMost: 1.1 });
  bench.report.note('"the same" is taken as within 10 %');
});

/** A store with one image of `size` bytes and `snapshots` snapshots, and the cloning of it. */
async function cloner(bench: Bench, name: string, size: number, snapshots: number): Promise<Contestant> {
  const path = join(bench.directory, name);
  await buildStore(path, async (store) => {
    await using disk = memoryDevice(size);
    for (let index = 0; index < 64; index += 1) disk.write(noise(index, 65_536), (index * size) / 64);
    await addSnapshot(store, 'web', disk);
    repeatSnapshots(store, 'web', snapshots - 1);
  });
  let count = 0;
  return {
    name,
    run() {
      count += 1;
      return run(varve('--store', path, 'clone', 'web', `clone-${count}`)).milliseconds;
    },
  };
}

function cloneByShell(bench: Bench, round: number): number {
  const store = join(bench.directory, '1 GiB, 1 snapshot');
  return run([join(projectDirectory, 'varve'), '--store', store, 'clone', 'web', `shell${round + 3}`]).milliseconds;
}
