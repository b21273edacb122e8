import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice, Extent, MaybePromise } from '../block/block-device.ts';
import { ReadOnlyDevice } from '../block/read-only-device.ts';
import { runSteps, type Steps } from '../block/run-steps.ts';

/** A place on a device from which on a run's bytes stand, as far as they stand there; in bytes. */
export interface DeviceArea {
  readonly device: BlockDevice;
  readonly offset: number;
}

/** A run of a mapped device. */
export interface MappedRun {
  /** In bytes. */
  readonly length: number;
  /** Where its bytes are; in turns, where there are several. Those of a run without any are zeros. */
  readonly areas: readonly DeviceArea[];
  /** How many bytes there are in an area before it is the next one's turn; of no meaning where there is one. */
  readonly stripeLength?: number;
}

/** Bytes of a mapped device that stand one after the other, on one device or on none. */
export interface MappedPiece {
  /** On the mapped device, in bytes. */
  readonly start: number;
  readonly length: number;
  /** Undefined where they are zeros. */
  readonly place: DeviceArea | undefined;
}

/**
 * A device, to be read only, whose bytes are those of others: runs of them one behind the other. The others stay the
 * caller's.
 *
 * @throws VarveError `CORRUPT` for a run that reaches past the end of a device; `name` is what that calls it
 */
export function mappedDevice(runs: readonly MappedRun[], name: string): MappedDevice {
  for (const { areas, length, stripeLength = length } of runs) {
    const count = Math.max(1, areas.length);
    if (count > 1 && (stripeLength <= 0 || length % (count * stripeLength) !== 0)) {
      throw new VarveError('CORRUPT', `cannot read ${name}: ${length} bytes are no whole number of its stripes`);
    }
    const past = areas.find(({ device, offset }) => offset < 0 || offset + length / count > device.size);
    if (past === undefined) continue;
    const where = `byte ${past.offset} of what has ${past.device.size} bytes`;
    throw new VarveError('CORRUPT', `cannot read ${name}: ${length / count} bytes of it would be at ${where}`);
  }
  return new MappedDevice(runs);
}

/** What `mappedDevice` makes. */
export class MappedDevice extends ReadOnlyDevice {
  readonly #runs: readonly MappedRun[];
  /** Where each run starts. */
  readonly #starts: readonly number[];

  constructor(runs: readonly MappedRun[]) {
    super(
      runs.reduce((sum, { length }) => sum + length, 0),
      devicesOf(runs),
      { extents: true },
    );
    this.#runs = runs.filter(({ length }) => length > 0);
    let end = 0;
    this.#starts = this.#runs.map(({ length }) => {
      end += length;
      return end - length;
    });
  }

  override read(target: Uint8Array, offset: number): MaybePromise<void> {
    return runSteps(this.#reads(target, offset));
  }

  *#reads(target: Uint8Array, offset: number): Steps {
    for (const { start, length, place } of this.pieces(offset, target.length)) {
      const part = target.subarray(start - offset, start - offset + length);
      if (place === undefined) part.fill(0);
      else yield place.device.read(part, place.offset);
    }
  }

  override async *extents(offset: number, length: number): AsyncGenerator<Extent, undefined> {
    for (const piece of this.pieces(offset, length)) {
      if (piece.place === undefined) yield { offset: piece.start, length: piece.length, kind: 'zero' };
      else {
        const { device, offset: first } = piece.place;
        for await (const extent of device.extents(first, piece.length)) {
          yield { ...extent, offset: extent.offset - first + piece.start };
        }
      }
    }
  }

  /** Those whose bytes it has. */
  devices(): BlockDevice[] {
    return devicesOf(this.#runs);
  }

  /** Where the bytes of a range are, in order and without gaps. */
  *pieces(offset: number, length: number): Generator<MappedPiece, undefined> {
    const end = offset + length;
    for (let index = this.#runAt(offset), start = offset; start < end; index += 1) {
      const run = this.#runs[index]!;
      const runStart = this.#starts[index]!;
      const stop = Math.min(end, runStart + run.length);
      for (; start < stop; ) {
        const piece = pieceOf(run, start - runStart, stop - start);
        yield { start, ...piece };
        start += piece.length;
      }
    }
  }

  /** By halving: there may be many. */
  #runAt(offset: number): number {
    let [low, high] = [0, this.#runs.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function devicesOf(runs: readonly MappedRun[]): BlockDevice[] {
  return [...new Set(runs.flatMap(({ areas }) => areas.map(({ device }) => device)))];
}

/** The first bytes of a run from `offset` in it on that are on one device, `length` at most. */
function pieceOf({ areas, stripeLength = 0 }: MappedRun, offset: number, length: number): Omit<MappedPiece, 'start'> {
  const [first] = areas;
  if (first === undefined) return { length, place: undefined };
  if (areas.length === 1) return { length, place: { device: first.device, offset: first.offset + offset } };
  const stripe = Math.floor(offset / stripeLength);
  const within = offset % stripeLength;
  const area = areas[stripe % areas.length]!;
  const place = area.offset + Math.floor(stripe / areas.length) * stripeLength + within;
  return { length: Math.min(length, stripeLength - within), place: { device: area.device, offset: place } };
}
