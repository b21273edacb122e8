import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { randomBelow, seededRandom } from '../../src/filter/seeded-random.ts';
import { imageFormats } from '../../src/format/formats.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { HostileReader } from './hostile-reader.ts';
import { type SeedImage, seedImages } from './seed-images.ts';

const skip = skipWithout('qemu-img', 'tar');
/** Images of each kind; VARVE_HOSTILE_RUNS asks for more of them. */
const runs = Number(process.env.VARVE_HOSTILE_RUNS ?? 25);
const seed = Number(process.env.VARVE_HOSTILE_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** What a bad image may be answered with. A changed name is one that nobody finds. */
const acceptable = [undefined, 'CORRUPT', 'UNSUPPORTED', 'PERMISSION', 'NOT_FOUND'];

/** Numbers that a field may hold and nobody thought of, of 4 or 8 bytes. */
const nasty = ['00', 'ff', '7f', '80', '01'].flatMap((byte) => {
  const rest = byte === '7f' ? 'ff' : '00';
  return [byte.repeat(8), byte.repeat(4), byte + rest.repeat(7), rest.repeat(7) + byte, rest.repeat(3) + byte];
});

test('formats that are fuzzed are all there are', { skip }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  try {
    const seeded = new Set((await seedImages(directory)).map(({ format }) => format));
    const names = imageFormats.map(({ name }) => name).filter((name) => name !== 'raw');
    assert.deepEqual(
      names.filter((name) => !seeded.has(name)),
      [],
    );
  } finally {
    await rm(directory, { recursive: true });
  }
});

test(`fuzzed and cut-off images, seed ${seed}, are refused soon, with little memory`, { skip }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  try {
    for (const image of await seedImages(directory)) {
      await t.test(image.name, () => fuzz(image, directory));
    }
  } finally {
    await rm(directory, { recursive: true });
  }
});

async function fuzz({ format, name, path }: SeedImage, directory: string): Promise<void> {
  const sound = await readFile(path);
  const random = seededRandom(seed);
  const target = join(directory, `hostile-${name}.img`);
  await using reader = new HostileReader();
  const soundAnswer = await reader.read({ path, format });
  assert.equal(soundAnswer.code, undefined, soundAnswer.message);
  for (let run = 0; run < runs; run += 1) {
    const bytes = run % 4 === 0 ? cutOff(sound, random) : changed(sound, random);
    await writeFile(target, bytes);
    const { code, message } = await reader.read({ path: target, format });
    assert.ok(acceptable.includes(code), `run ${run}: ${code}, ${message}`);
    // A file that is not there is named itself.
    if (code !== undefined && code !== 'NOT_FOUND')
      assert.ok(message?.includes(target), `run ${run} names no file: ${message}`);
  }
}

function cutOff(sound: Uint8Array, random: () => number): Uint8Array {
  const end = randomBelow(random, 2) === 0 ? Math.min(4096, sound.length) : sound.length;
  return sound.subarray(0, randomBelow(random, end));
}

/** Some fields changed, most of them where there is something: in the header, and beside bytes that are not zero. */
function changed(sound: Uint8Array, random: () => number): Uint8Array {
  const bytes = new Uint8Array(sound);
  for (let count = 1 + randomBelow(random, 3); count > 0; count -= 1) {
    const field = Buffer.from(nasty[randomBelow(random, nasty.length)]!, 'hex');
    const place = placeIn(bytes, random);
    bytes.set(field.subarray(0, Math.max(0, bytes.length - place)), place);
  }
  return bytes;
}

function placeIn(bytes: Uint8Array, random: () => number): number {
  const kind = randomBelow(random, 4);
  const end = kind === 0 ? 128 : kind === 1 ? 4096 : bytes.length;
  const start = randomBelow(random, Math.min(end, bytes.length));
  if (kind === 3) return start;
  const found = bytes.findIndex((byte, index) => index >= start && byte !== 0);
  const place = found < 0 ? start : found;
  return place - (place % 4);
}
