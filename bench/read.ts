/** Random reads of 4 KiB from the newest of 1, 100, 1,000 snapshots, beside qcow2 chains. `npm run bench read` */
import { join } from 'node:path';
import { randomBelow, seededRandom } from '../src/filter/seeded-random.ts';
import { chunkSize } from '../src/store/chunk.ts';
import { openStore } from '../src/store/store.ts';
import { buildStore } from './runner/build-store.ts';
import { type Contestant, contest } from './runner/contest.ts';
import { debianDisk } from './runner/debian-disk.ts';
import { dataOf } from './runner/disk-data.ts';
import { History } from './runner/history.ts';
import { noise } from './runner/noise.ts';
import { type DiskVersions, makeChain, timeChainReads } from './runner/qcow2-chain.ts';
import { runBenchmark } from './runner/run-benchmark.ts';

const chunkCount = 3000;
const changedChunks = 16;
const readLength = 4096;
const readCount = 16_000;
/** Reads of a chain, which `timeChainReads` repeats. */
const chainReadCount = 2000;
const title = `read: random 4 KiB reads from the newest version of a disk of ${chunkCount * 64} KiB`;

await runBenchmark({ title, programs: ['qemu-img', 'qemu-io'], rounds: 7 }, async (bench) => {
  const data = dataOf(debianDisk().path, chunkCount * chunkSize);
  const stores: Contestant[] = [];
  for (const count of [1, 100, 1000]) stores.push(await snapshots(bench.directory, versions(data, count)));
  const canChain = bench.has('qemu-img') && bench.has('qemu-io');
  const chains = canChain ? [1, 100].map((count) => chain(bench.directory, versions(data, count))) : [];
  const result = await contest([...stores, ...chains], { rounds: bench.rounds });
  for (const name of result.names) bench.report.add(name, result.summary(name));
  const [one, ...others] = stores.map(({ name }) => name) as [string, ...string[]];
  for (const other of others) {
    bench.report.target(`time of a read, ${other} : ${one}`, result.ratio(other, one), '×', { atMost: 1.1 });
  }
  const [single, deep] = chains;
  if (single !== undefined && deep !== undefined) {
    bench.report.note(`${deep.name} : ${single.name} is ${result.ratio(deep.name, single.name).toFixed(1)} ×`);
  }
  bench.report.note(`each version changes ${changedChunks} chunks of 64 KiB; the same ${readCount} reads for all`);
  bench.report.note('one after the other, from the page cache, with the chunk cache of 32 MiB empty at first');
  bench.report.note(
    'varve unpacks and checks 64 KiB for a read that its cache does not hold; the qcow2 is not compressed',
  );
});

/** A disk of `data` and `count - 1` later versions of it. */
function versions(data: Uint8Array, count: number): DiskVersions {
  const random = seededRandom(count);
  const change = () => Array.from({ length: changedChunks }, () => randomBelow(random, chunkCount) * chunkSize);
  return { data, changedOffsets: Array.from({ length: count - 1 }, change) };
}

function readOffsets(): number[] {
  const random = seededRandom(4);
  const blocks = (chunkCount * chunkSize) / readLength;
  return Array.from({ length: readCount }, () => randomBelow(random, blocks) * readLength);
}

/** A store with a snapshot for each version, and the reading from the newest. */
async function snapshots(directory: string, { data, changedOffsets }: DiskVersions): Promise<Contestant> {
  const count = changedOffsets.length + 1;
  const path = join(directory, `store-${count}`);
  const chunkAt = (offset: number) => data.slice(offset, offset + chunkSize);
  await buildStore(path, async (store) => {
    const history = new History(store, 'web', chunkCount);
    await history.add(new Map(Array.from({ length: chunkCount }, (_, index) => [index, chunkAt(index * chunkSize)])));
    for (const [index, offsets] of changedOffsets.entries()) {
      const stamped = (offset: number) => {
        const chunk = chunkAt(offset);
        chunk.set(noise(index * chunkCount + offset / chunkSize, 16));
        return chunk;
      };
      await history.add(new Map(offsets.map((offset) => [offset / chunkSize, stamped(offset)])));
    }
  });
  return { name: `varve, ${count} snapshot${count === 1 ? '' : 's'}`, run: () => timeReads(path) };
}

/** Milliseconds that a read takes. */
async function timeReads(path: string): Promise<number> {
  await using store = await openStore(path);
  await using device = await store.openSnapshot(store.images.resolve('web'));
  const target = new Uint8Array(readLength);
  const offsets = readOffsets();
  const start = performance.now();
  for (const offset of offsets) {
    const reading = device.read(target, offset);
    if (reading !== undefined) await reading;
  }
  return (performance.now() - start) / offsets.length;
}

function chain(directory: string, disk: DiskVersions): Contestant {
  const top = makeChain(directory, disk);
  const name = `qcow2, ${disk.changedOffsets.length + 1} in the chain`;
  return { name, run: () => timeChainReads(top, readOffsets().slice(0, chainReadCount), readLength) };
}
