import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { chanceOf, changeRandomly, makeTree } from '../../test/changes/random-changes.ts';
import { fillMounted, whyNoMount } from '../../test/filesystem/mounted-image.ts';
import { run, sampleImage } from '../../test/filesystem/sample-image.ts';
import { skipWithout } from '../../test/interop/require-tool.ts';
import { VarveError } from '../base/varve-error.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { openGuest } from '../guest/open-guest.ts';
import { diffGuests } from './diff-guests.ts';

const mebibyte = 2 ** 20;
const chunkSize = 65_536;

async function diffDamaged(before: Uint8Array, after: Uint8Array): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const open = async (bytes: Uint8Array) => {
    return { label: 'disk', guest: stack.use(await openGuest(memoryDevice(bytes), { name: 'disk' })) };
  };
  const ranges = () => Promise.resolve(differentChunks(before, after));
  await diffGuests(await open(before), await open(after), stack, { ranges });
}

function differentChunks(a: Uint8Array, b: Uint8Array): { offset: number; length: number }[] {
  const offsets = Array.from({ length: a.length / chunkSize }, (_, index) => index * chunkSize);
  const differs = (offset: number) =>
    Buffer.compare(a.subarray(offset, offset + chunkSize), b.subarray(offset, offset + chunkSize)) !== 0;
  return offsets.filter(differs).map((offset) => ({ offset, length: chunkSize }));
}

/** The sectors in which there is something: damage to others says nothing. */
function filledSectors(bytes: Uint8Array): number[] {
  const zeros = new Uint8Array(512);
  const offsets = Array.from({ length: bytes.length / 512 }, (_, index) => index * 512);
  return offsets.filter((offset) => Buffer.compare(bytes.subarray(offset, offset + 512), zeros) !== 0);
}

function damaged(bytes: Uint8Array, places: readonly number[], value: number): Uint8Array {
  const copy = bytes.slice();
  const filled = filledSectors(bytes);
  for (const place of places) copy[filled[place % filled.length]! + (Math.floor(place / 7919) % 512)]! ^= value;
  return copy;
}

for (const [type, size, make] of [
  ['ext4', 24 * mebibyte, ['mke2fs', '-q', '-F', '-t', 'ext4', '-O', '^metadata_csum']],
  ['xfs', 32 * mebibyte, ['mkfs.xfs', '-q', '-f', '--unsupported']],
] as const) {
  test(`whatever is damaged in an ${type}, comparing it ends with an answer or an error that says so`, {
    skip: skipWithout('mke2fs', 'mkfs.xfs', 'setfattr') || whyNoMount(type),
  }, async () => {
    const states: Buffer[] = [];
    await sampleImage(size, async (image) => {
      await run(make[0], [...make.slice(1), image]);
      for (const step of [(top: string) => makeTree(top, chanceOf(1)), changeALittle]) {
        await fillMounted(image, step);
        states.push(fs.readFileSync(image));
      }
    });
    const [before, after] = states as [Buffer, Buffer];
    const places = fc.array(fc.nat(2 ** 31 - 1), { minLength: 1, maxLength: 12 });
    const damage = fc.tuple(places, fc.integer({ min: 1, max: 255 }), fc.boolean());
    await fc.assert(
      fc.asyncProperty(damage, async ([where, value, isLater]) => {
        const sides = isLater ? [before, damaged(after, where, value)] : [damaged(before, where, value), after];
        try {
          await diffDamaged(sides[0]!, sides[1]!);
        } catch (error) {
          assert.ok(error instanceof VarveError, String((error as Error).stack));
        }
      }),
      { numRuns: 25 },
    );
  });
}

function changeALittle(top: string): void {
  changeRandomly(top, chanceOf(2), 20);
}
