/** `varve list` and `varve log` in stores with 10,000 snapshots. `npm run bench list` */
import { join } from 'node:path';
import { memoryDevice } from '../src/block/memory-device.ts';
import { cloneImage } from '../src/image/clone-image.ts';
import { addSnapshot, buildStore, repeatSnapshots } from './runner/build-store.ts';
import { type Contestant, contest } from './runner/contest.ts';
import { noise } from './runner/noise.ts';
import { bareNode, run, varve } from './runner/program.ts';
import { runBenchmark } from './runner/run-benchmark.ts';

const snapshotCount = 10_000;
const targetMs = 300;

await runBenchmark({ title: 'list and log: 10,000 snapshots', rounds: 15 }, async (bench) => {
  const deep = join(bench.directory, 'deep');
  const wide = join(bench.directory, 'wide');
  await using disk = memoryDevice(noise(1, 1024 * 1024));
  await buildStore(deep, async (store) => {
    await addSnapshot(store, 'web', disk);
    repeatSnapshots(store, 'web', snapshotCount - 1);
  });
  await buildStore(wide, async (store) => {
    await addSnapshot(store, 'web', disk);
    for (let index = 1; index < snapshotCount; index += 1) {
      cloneImage(store, 'web', `web-${index}`, { author: 'benchmark', time: Date.now() });
    }
  });
  const contestants: Contestant[] = [
    { name: 'node -e 0', run: () => run(bareNode).milliseconds },
    shower('varve list, 1 image of 10,000 snapshots', deep, 'list'),
    shower('varve list, 10,000 images', wide, 'list'),
    shower('varve list --json, 10,000 images', wide, 'list', '--json'),
    shower('varve log, 10,000 snapshots', deep, 'log', 'web'),
    shower('varve log --json, 10,000 snapshots', deep, 'log', 'web', '--json'),
  ];
  const result = await contest(contestants, { rounds: bench.rounds });
  for (const name of result.names) bench.report.add(name, result.summary(name));
  for (const { name } of contestants.slice(1)) {
    bench.report.target(name, result.summary(name).median, 'ms', { atMost: targetMs });
  }
});

function shower(name: string, store: string, ...command: string[]): Contestant {
  return { name, run: () => run(varve('--store', store, ...command)).milliseconds };
}
