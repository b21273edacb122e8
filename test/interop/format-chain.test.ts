import { test } from 'node:test';
import { randomBelow, seededRandom } from '../../src/filter/seeded-random.ts';
import { assertReadsLikeQemu, type ImageDirectory, imageDirectory, qemuImg, qemuIo } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');
const chainLength = 14;
const largestSize = 6 * 2 ** 20;

/** What a link of a chain may be made like. */
const ways = [
  'cluster_size=64k',
  'cluster_size=512',
  'cluster_size=4k,compat=0.10',
  'cluster_size=2M',
  'cluster_size=64k,extended_l2=on',
  'cluster_size=16k,compression_type=zstd',
];

/** Makes a chain of images of all kinds, with sizes that differ, and gives the path of the uppermost. */
async function randomChain(images: ImageDirectory, seed: number, bottom: 'raw' | 'qcow2'): Promise<string> {
  const random = seededRandom(seed);
  let below: string | undefined;
  for (let link = 0; link < chainLength; link += 1) {
    const path = images.path(`link-${link}`);
    const format = link === 0 ? bottom : 'qcow2';
    const size = largestSize - randomBelow(random, 20) * 70_144;
    const way = format === 'raw' ? undefined : ways[randomBelow(random, ways.length)];
    const options = way === undefined ? [] : ['-o', way];
    const backing = below === undefined ? [] : ['-b', below, '-F', link === 1 ? bottom : 'qcow2'];
    await qemuImg('create', '-q', '-f', format, ...options, ...backing, path, String(size));
    await qemuIo(path, ...changes(random, size, link + 1, way));
    below = path;
  }
  return below!;
}

/** Compressed clusters first, as qemu-io compresses none that is there already. */
function changes(random: () => number, size: number, pattern: number, way: string | undefined): string[] {
  const place = 2 ** 21 * randomBelow(random, 2);
  const compressed = way === undefined ? [] : [`write -c -P ${pattern} ${place} ${way.includes('2M') ? '2M' : '64k'}`];
  const others = Array.from({ length: 12 }, () => {
    const length = 512 * (1 + randomBelow(random, 400));
    const offset = 512 * randomBelow(random, Math.floor((size - length) / 512));
    const kind = randomBelow(random, 8);
    const zeros = kind < 3 ? `-z ${kind === 0 ? '-u' : ''}` : `-P ${pattern}`;
    return `write ${zeros} ${offset} ${length}`;
  });
  return [...compressed, ...others];
}

for (const [seed, bottom] of [
  [1, 'raw'],
  [2, 'qcow2'],
  [3, 'raw'],
  [4, 'qcow2'],
] as const) {
  test(`a chain of ${chainLength} images of all kinds over ${bottom}, seed ${seed}, is read as qemu-img reads it`, {
    skip,
  }, async () => {
    await using images = await imageDirectory();
    const top = await randomChain(images, seed, bottom);
    await assertReadsLikeQemu(top, images.path(''));
  });
}
