import type { LayerRunKind } from './chain-layer.ts';

/** The kinds by number; `unallocated` is what no layer has. */
const kinds: readonly LayerRunKind[] = ['unallocated', 'zero', 'data', 'compressed'];

/** A run, for those who fill a table. */
export interface PlacedRun {
  /** In bytes from where the disk starts. */
  readonly start: number;
  readonly kind: LayerRunKind;
  /** Its number in the chain, 0 for the uppermost. */
  readonly layer: number;
  readonly hostOffset: number;
  readonly compressedLength: number;
}

/**
 * The runs of a region of a disk in typed arrays, in order and without gaps. The fields of the run number `index` are
 * read one by one, as nothing is allocated for a read then.
 */
export class RegionRuns {
  readonly start: number;
  readonly end: number;
  readonly #starts: Float64Array;
  readonly #hostOffsets: Float64Array;
  /** The layer's number times four, plus the kind's. */
  readonly #sources: Uint32Array;
  /** Undefined where nothing is compressed. */
  readonly #compressedLengths: Uint32Array | undefined;
  #last = 0;

  /** `runs` are in order, and the first starts at `start`; those that go on in the same place are made one. */
  constructor(start: number, end: number, runs: readonly PlacedRun[]) {
    this.start = start;
    this.end = end;
    const joined = joinedRuns(runs);
    this.#starts = Float64Array.from(joined, (run) => run.start);
    this.#hostOffsets = Float64Array.from(joined, (run) => run.hostOffset);
    this.#sources = Uint32Array.from(joined, ({ kind, layer }) => layer * 4 + kinds.indexOf(kind));
    const isCompressed = joined.some(({ kind }) => kind === 'compressed');
    this.#compressedLengths = isCompressed ? Uint32Array.from(joined, (run) => run.compressedLength) : undefined;
  }

  /** How much memory it takes, in bytes. */
  get weight(): number {
    const compressed = this.#compressedLengths?.byteLength ?? 0;
    return 200 + this.#starts.byteLength + this.#hostOffsets.byteLength + this.#sources.byteLength + compressed;
  }

  /** The number of the run that byte `offset` of the disk, which is inside, is in. Hot: see `bench/formats.ts`. */
  indexOf(offset: number): number {
    const starts = this.#starts;
    let low = this.#last;
    if (offset >= starts[low]! && offset < this.endOf(low)) return low;
    low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    this.#last = low;
    return low;
  }

  startOf(index: number): number {
    return this.#starts[index]!;
  }

  endOf(index: number): number {
    return index + 1 < this.#starts.length ? this.#starts[index + 1]! : this.end;
  }

  kindOf(index: number): LayerRunKind {
    return kinds[this.#sources[index]! & 3]!;
  }

  layerOf(index: number): number {
    return this.#sources[index]! >>> 2;
  }

  /** Where byte `offset` of the disk is in the layer's file; for a compressed run, where its cluster starts. */
  hostOffsetOf(index: number, offset: number): number {
    const first = this.#hostOffsets[index]!;
    return this.compressedLengthOf(index) > 0 ? first : first + offset - this.#starts[index]!;
  }

  compressedLengthOf(index: number): number {
    return this.#compressedLengths === undefined ? 0 : this.#compressedLengths[index]!;
  }
}

function joinedRuns(runs: readonly PlacedRun[]): PlacedRun[] {
  const joined: PlacedRun[] = [];
  for (const run of runs) {
    const last = joined.at(-1);
    if (last === undefined || !goesOn(last, run)) joined.push(run);
  }
  return joined;
}

/** Whether `run`, which starts where the one before ends, is told by the fields of that one. */
function goesOn(last: PlacedRun, run: PlacedRun): boolean {
  if (last.kind !== run.kind || last.layer !== run.layer || last.kind === 'compressed') return false;
  return last.kind !== 'data' || run.hostOffset - last.hostOffset === run.start - last.start;
}
