import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice, Extent, MaybePromise } from '../block/block-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { assertEqualBytes, contentOf, extentsOf } from '../conformance/device-content.ts';
import { delayFilter } from '../filter/delay.ts';
import type { ChainLayer, LayerRun, LayerRunKind } from './chain-layer.ts';
import { mergedChain } from './merged-chain.ts';

const unit = 512;

/** What a layer of a test says, unit by unit. */
interface LayerPlan {
  readonly kinds: readonly LayerRunKind[];
  /** Bytes that its last unit lacks. */
  readonly cut: number;
}

/** A layer whose content, as far as it has any, is its number in every byte, and that counts what it is asked. */
class PlannedLayer implements ChainLayer {
  readonly format = 'planned';
  readonly size: number;
  readonly blockSize = unit;
  readonly supports = { write: false, trim: false, zero: false, extents: true };
  readonly tableCoverage = 16 * unit;
  readonly below: BlockDevice | undefined;
  lookupCount = 0;
  /** A unit that it contradicts itself about. */
  damagedUnit: number | undefined;
  readonly #plan: LayerPlan;
  readonly #content: number;
  readonly #isLate: boolean;

  constructor(plan: LayerPlan, content: number, below: BlockDevice | undefined, isLate: boolean) {
    this.size = plan.kinds.length * unit - plan.cut;
    this.#plan = plan;
    this.#content = content;
    this.below = below;
    this.#isLate = isLate;
  }

  information() {
    return { format: 'planned', virtualSize: this.size, fileSize: this.size };
  }

  lookupLayer(offset: number, length: number): MaybePromise<LayerRun> {
    this.lookupCount += 1;
    const index = Math.floor(offset / unit);
    const damaged = this.damagedUnit;
    if (damaged !== undefined && damaged >= index && damaged * unit < offset + length) {
      throw new VarveError('CORRUPT', `unit ${damaged} is damaged`);
    }
    const kind = this.#plan.kinds[index]!;
    let end = index + 1;
    while (kind !== 'compressed' && this.#plan.kinds[end] === kind) end += 1;
    const found: LayerRun = {
      kind,
      length: Math.min(length, end * unit - offset),
      hostOffset: kind === 'data' ? offset + 1000 : kind === 'compressed' ? index * unit : 0,
      compressedLength: kind === 'compressed' ? 7 : 0,
    };
    return this.#isLate ? Promise.resolve(found) : found;
  }

  readLayer(target: Uint8Array, offset: number, run: LayerRun): MaybePromise<void> {
    const place = run.kind === 'data' ? offset + 1000 : offset - (offset % unit);
    assert.deepEqual([run.hostOffset, run.length], [place, target.length]);
    target.fill(this.#content);
    return this.#isLate ? Promise.resolve() : undefined;
  }

  hasSparseData(): boolean {
    return false;
  }

  forgetTables(): void {}

  /** One unit after the other, from below where it has to. */
  async read(target: Uint8Array, offset: number): Promise<void> {
    for (let done = 0; done < target.length; ) {
      const place = offset + done;
      const part = target.subarray(done, done + Math.min(target.length - done, unit - (place % unit)));
      const run = await this.lookupLayer(place, part.length);
      if (run.kind === 'unallocated') await this.below?.read(part, place);
      else if (run.kind === 'zero') part.fill(0);
      else await this.readLayer(part, place, run);
      done += part.length;
    }
  }

  write(): void {}
  zero(): void {}
  trim(): void {}
  flush(): void {}

  *extents(): Generator<Extent> {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.below?.[Symbol.asyncDispose]();
  }
}

const plans = fc.array(
  fc.record({
    kinds: fc.array(fc.constantFrom<LayerRunKind>('unallocated', 'unallocated', 'zero', 'data', 'compressed'), {
      minLength: 1,
      maxLength: 60,
    }),
    cut: fc.integer({ min: 0, max: unit - 1 }),
  }),
  { minLength: 1, maxLength: 6 },
);

/** What the uppermost of `layers`, the last of them, reads as over a disk of `0xbb`. */
function expectedContent(layers: readonly LayerPlan[], bottomSize: number): Uint8Array {
  let below: Uint8Array = new Uint8Array(bottomSize).fill(0xbb);
  for (const [index, { cut, kinds }] of layers.entries()) {
    const content = new Uint8Array(kinds.length * unit - cut);
    for (let offset = 0; offset < content.length; offset += 1) {
      const kind = kinds[Math.floor(offset / unit)];
      content[offset] = kind === 'unallocated' ? (below[offset] ?? 0) : kind === 'zero' ? 0 : index + 1;
    }
    below = content;
  }
  return below;
}

/** The chain, as opening images from the bottom on makes it. */
function chainOf(layers: readonly LayerPlan[], bottomSize: number, isLate: boolean): BlockDevice {
  const bottom = memoryDevice(new Uint8Array(bottomSize).fill(0xbb));
  let below: BlockDevice = isLate ? delayFilter(bottom) : bottom;
  for (const [index, plan] of layers.entries()) below = mergedChain(new PlannedLayer(plan, index + 1, below, isLate));
  return below;
}

for (const isLate of [false, true]) {
  test(`a merged chain reads as its layers one over the other, ${isLate ? 'late' : 'at once'}`, async () => {
    const bottomSize = fc.integer({ min: 1, max: 40 * unit });
    const property = fc.asyncProperty(plans, bottomSize, async (layers, size) => {
      await using chain = chainOf(layers, size, isLate);
      const expected = expectedContent(layers, size);
      assert.equal(chain.size, expected.length);
      assertEqualBytes(await contentOf(chain), expected, 'all of it');
      for (let offset = 0; offset < chain.size; offset += 777) {
        const length = Math.min(777, chain.size - offset);
        assertEqualBytes(
          await contentOf(chain, offset, length),
          expected.subarray(offset, offset + length),
          `${offset}`,
        );
      }
      let end = 0;
      for (const { kind, length, offset } of await extentsOf(chain)) {
        assert.equal(offset, end);
        end += length;
        if (kind !== 'data') assert.ok(expected.subarray(offset, end).every((byte) => byte === 0));
      }
      assert.equal(end, chain.size);
    });
    await fc.assert(property, { numRuns: isLate ? 30 : 150 });
  });
}

test('a merged chain asks each layer once for a region', async () => {
  const top: LayerPlan = { kinds: Array.from({ length: 20 }, () => 'unallocated'), cut: 0 };
  const bottom = new PlannedLayer({ kinds: Array.from({ length: 20 }, () => 'data'), cut: 0 }, 1, undefined, false);
  const layer = new PlannedLayer(top, 2, bottom, false);
  await using chain = mergedChain(new PlannedLayer(top, 3, mergedChain(layer), false));
  for (let offset = 0; offset < chain.size; offset += 64) await contentOf(chain, offset, 64);
  assert.deepEqual([bottom.lookupCount, layer.lookupCount], [1, 1]);
});

for (const isLate of [false, true]) {
  test(`damage in a layer hides what it is about alone, ${isLate ? 'late' : 'at once'}`, async () => {
    const kinds = (kind: LayerRunKind): LayerPlan => ({ kinds: Array.from({ length: 20 }, () => kind), cut: 0 });
    const bottom = new PlannedLayer(kinds('data'), 1, undefined, isLate);
    const layer = new PlannedLayer(kinds('unallocated'), 2, bottom, isLate);
    layer.damagedUnit = 7;
    await using chain = mergedChain(new PlannedLayer(kinds('unallocated'), 3, mergedChain(layer), isLate));
    const reading = async (offset: number): Promise<Uint8Array> => contentOf(chain, offset, unit);
    await assert.rejects(reading(7 * unit), { code: 'CORRUPT' });
    assertEqualBytes(await reading(3 * unit), new Uint8Array(unit).fill(1), 'before it');
    assertEqualBytes(await reading(8 * unit), new Uint8Array(unit).fill(1), 'behind it');
  });
}

test('what builds on nothing is not merged, and neither is what is no image of a chain', () => {
  const layer = new PlannedLayer({ kinds: ['data'], cut: 0 }, 1, undefined, false);
  assert.equal(mergedChain(layer), layer);
  const raw = memoryDevice(512);
  assert.equal(mergedChain(raw), raw);
});
