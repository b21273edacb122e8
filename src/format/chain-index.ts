import { LruMap } from '../base/lru.ts';
import { isVarveError } from '../base/varve-error.ts';
import type { BlockDevice, MaybePromise } from '../block/block-device.ts';
import { answerOf, runSteps, type Steps } from '../block/run-steps.ts';
import type { ChainLayer, LayerRun } from './chain-layer.ts';
import { type PlacedRun, RegionRuns } from './region-runs.ts';

/** A chain of images, to be read as the disk of the uppermost. */
export interface Chain {
  /** The uppermost first; at least one. */
  readonly layers: readonly ChainLayer[];
  /** What the last layer builds on and is no layer itself: a raw disk. It counts as one more layer. */
  readonly bottom: BlockDevice | undefined;
}

/** Bytes of the disk that nothing above has. */
interface Gap {
  readonly start: number;
  readonly end: number;
}

/** Regions are no smaller, in bytes, so that there are few of them. */
const minimumRegionLength = 8 * 2 ** 20;
const maximumDamagedRegions = 1000;

/**
 * Tells which file of a chain holds each byte of the disk, and where. A region is looked for by going down the chain
 * once, all of it, and kept as its runs; the images' own tables are forgotten again. So a read costs the same however
 * long the chain is, and memory does not grow with the chain.
 */
export class ChainIndex {
  readonly #chain: Chain;
  readonly #regionLength: number;
  readonly #regions: LruMap<number, RegionRuns>;
  readonly #loading = new Map<number, Promise<RegionRuns | undefined>>();
  /** Where regions start that some file of the chain is damaged in. */
  readonly #damaged = new LruMap<number, true>(maximumDamagedRegions);
  #last: RegionRuns | undefined;

  /** It keeps up to `capacity` bytes, and one region at least. */
  constructor(chain: Chain, capacity: number) {
    this.#chain = chain;
    this.#regionLength = regionLength(chain.layers);
    this.#regions = new LruMap(capacity);
  }

  /** Where the region ends that byte `offset` of the disk is in. */
  endAt(offset: number): number {
    return Math.min(this.#chain.layers[0]!.size, offset - (offset % this.#regionLength) + this.#regionLength);
  }

  /**
   * The region that byte `offset` of the disk is in; undefined where an image contradicts itself somewhere in it, so
   * that each image has to be asked for what can be read all the same. Hot: most reads are in the region of the last one.
   */
  regionAt(offset: number): MaybePromise<RegionRuns | undefined> {
    const last = this.#last;
    if (last !== undefined && offset >= last.start && offset < last.end) return last;
    const start = offset - (offset % this.#regionLength);
    const known = this.#regions.get(start);
    if (known === undefined) return this.#loading.get(start) ?? this.#load(start);
    this.#last = known;
    return known;
  }

  #load(start: number): MaybePromise<RegionRuns | undefined> {
    if (this.#damaged.get(start)) return undefined;
    let found: MaybePromise<RegionRuns>;
    try {
      found = runSteps(this.#resolve(start));
    } catch (error) {
      return this.#noteDamage(start, error);
    }
    if (!(found instanceof Promise)) return this.#keep(found);
    const loading = found
      .then((region) => this.#keep(region))
      .catch((error: unknown) => this.#noteDamage(start, error))
      .finally(() => this.#loading.delete(start));
    this.#loading.set(start, loading);
    return loading;
  }

  #noteDamage(start: number, error: unknown): undefined {
    if (!isVarveError(error, 'CORRUPT')) throw error;
    this.#damaged.set(start, true);
  }

  #keep(region: RegionRuns): RegionRuns {
    this.#regions.set(region.start, region, region.weight);
    this.#last = region;
    return region;
  }

  *#resolve(start: number): Steps<RegionRuns> {
    const { bottom, layers } = this.#chain;
    const end = Math.min(layers[0]!.size, start + this.#regionLength);
    const runs: PlacedRun[] = [];
    let gaps: Gap[] = [{ start, end }];
    for (const [index, layer] of layers.entries()) {
      if (gaps.length === 0) break;
      gaps = cutGaps(gaps, layer.size, index, runs);
      gaps = yield* gapsOf(layer, index, gaps, runs);
      layer.forgetTables();
    }
    const inBottom = cutGaps(gaps, bottom?.size ?? 0, layers.length, runs);
    for (const gap of inBottom) runs.push(placed('data', layers.length, gap.start, gap.start));
    runs.sort((one, other) => one.start - other.start);
    return new RegionRuns(start, end, runs);
  }
}

/** What of `gaps` a layer does not have either; adds to `runs` what it has. */
function* gapsOf(layer: ChainLayer, index: number, gaps: readonly Gap[], runs: PlacedRun[]): Steps<Gap[]> {
  const left: Gap[] = [];
  for (const { end, start } of gaps) {
    for (let position = start; position < end; ) {
      const found = layer.lookupLayer(position, end - position);
      const run: LayerRun = found instanceof Promise ? yield* answerOf(found) : found;
      if (run.kind === 'unallocated') addGap(left, position, position + run.length);
      else runs.push(placed(run.kind, index, position, run.hostOffset, run.compressedLength));
      position += run.length;
    }
  }
  return left;
}

/** Cuts gaps to a layer's size; what is past it is nowhere, whatever is further down. */
function cutGaps(gaps: readonly Gap[], size: number, index: number, runs: PlacedRun[]): Gap[] {
  const left: Gap[] = [];
  for (const { end, start } of gaps) {
    const middle = Math.max(start, Math.min(end, size));
    if (middle > start) left.push({ start, end: middle });
    if (end > middle) runs.push(placed('unallocated', index, middle, 0));
  }
  return left;
}

function addGap(gaps: Gap[], start: number, end: number): void {
  const last = gaps.at(-1);
  if (last?.end === start) gaps[gaps.length - 1] = { start: last.start, end };
  else gaps.push({ start, end });
}

function placed(
  kind: PlacedRun['kind'],
  layer: number,
  start: number,
  hostOffset: number,
  compressedLength = 0,
): PlacedRun {
  return { kind, layer, start, hostOffset, compressedLength };
}

/** As much as a table of half of the layers tells, so that few tables are read more than once. */
function regionLength(layers: readonly ChainLayer[]): number {
  const coverages = layers.map(({ tableCoverage }) => tableCoverage).sort((a, b) => a - b);
  return Math.max(minimumRegionLength, coverages[Math.floor(coverages.length / 2)]!);
}
