import { type ErrorCode, VarveError } from '../base/varve-error.ts';
import type { BlockDevice, Extent, MaybePromise } from '../block/block-device.ts';
import { runSteps, type Steps } from '../block/run-steps.ts';
import type { DeviceOperation } from './device-operation.ts';
import { ForwardingDevice } from './forwarding-device.ts';
import { randomBelow, seededRandom } from './seeded-random.ts';

const sectorSize = 512;

/** Which requests fail, and how. An empty rule fails all of them. */
export interface FaultRule {
  /** Requests of these kinds; of every kind where nothing is given. */
  readonly operations?: readonly DeviceOperation[];
  /** Requests that touch this range, in bytes, which `flush` never does; wherever they are where nothing is given. */
  readonly range?: { readonly offset: number; readonly length: number };
  /** How many of the requests that match go through before the first fails; 0 where nothing is given. */
  readonly after?: number;
  /** How many fail before the rule is used up; there is no end to it where nothing is given. */
  readonly times?: number;
  /** From 0, never, to 1, always, which is also what nothing means. */
  readonly probability?: number;
  /** The code of the `VarveError`; `IO` where nothing is given. */
  readonly code?: ErrorCode;
  /** Whether a random part of a failing write or zero is done, in whole sectors from its start; reads are not torn. */
  readonly torn?: boolean;
}

/** What `faultFilter` does. */
export interface FaultOptions {
  /** A request fails by the first rule that says so; every rule counts every request that it matches. */
  readonly rules: readonly FaultRule[];
  /** Makes probabilities and torn writes the same every time. */
  readonly seed?: number;
}

/** A device that fails as it is told, to see what becomes of those who use it. */
export function faultFilter(device: BlockDevice, options: FaultOptions): BlockDevice {
  return new FaultDevice(device, options);
}

class FaultDevice extends ForwardingDevice {
  readonly #rules: readonly FaultRule[];
  /** How many requests each rule has matched, and failed. */
  readonly #matched: number[];
  readonly #failed: number[];
  readonly #random: () => number;

  constructor(device: BlockDevice, { rules, seed = 0 }: FaultOptions) {
    super(device);
    this.#rules = rules;
    this.#matched = rules.map(() => 0);
    this.#failed = rules.map(() => 0);
    this.#random = seededRandom(seed);
  }

  override read(target: Uint8Array, offset: number): MaybePromise<void> {
    const rule = this.#failing('read', offset, target.length);
    if (rule !== undefined) throw fault('read', rule);
    return super.read(target, offset);
  }

  override write(source: Uint8Array, offset: number): MaybePromise<void> {
    const rule = this.#failing('write', offset, source.length);
    if (rule === undefined) return super.write(source, offset);
    const done = this.#tornLength(rule, source.length);
    return failAfter(
      () => (done > 0 ? super.write(source.subarray(0, done), offset) : undefined),
      fault('write', rule),
    );
  }

  override zero(offset: number, length: number): MaybePromise<void> {
    const rule = this.#failing('zero', offset, length);
    if (rule === undefined) return super.zero(offset, length);
    const done = this.#tornLength(rule, length);
    return failAfter(() => (done > 0 ? super.zero(offset, done) : undefined), fault('zero', rule));
  }

  override trim(offset: number, length: number): MaybePromise<void> {
    const rule = this.#failing('trim', offset, length);
    if (rule !== undefined) throw fault('trim', rule);
    return super.trim(offset, length);
  }

  override flush(): MaybePromise<void> {
    const rule = this.#failing('flush', 0, 0);
    if (rule !== undefined) throw fault('flush', rule);
    return super.flush();
  }

  override extents(offset: number, length: number): Iterable<Extent> | AsyncIterable<Extent> {
    const rule = this.#failing('extents', offset, length);
    if (rule !== undefined) throw fault('list the extents of', rule);
    return super.extents(offset, length);
  }

  #failing(operation: DeviceOperation, offset: number, length: number): FaultRule | undefined {
    let failing: FaultRule | undefined;
    for (const [index, rule] of this.#rules.entries()) {
      if (!matches(rule, operation, offset, length)) continue;
      this.#matched[index]! += 1;
      if (failing === undefined && this.#isDue(index, rule)) failing = rule;
    }
    return failing;
  }

  #isDue(index: number, { after = 0, times = Number.POSITIVE_INFINITY, probability = 1 }: FaultRule): boolean {
    if (this.#matched[index]! <= after || this.#failed[index]! >= times) return false;
    if (probability < 1 && this.#random() >= probability) return false;
    this.#failed[index]! += 1;
    return true;
  }

  #tornLength(rule: FaultRule, length: number): number {
    if (rule.torn !== true) return 0;
    return sectorSize * randomBelow(this.#random, Math.ceil(length / sectorSize));
  }
}

function matches(
  { operations, range }: FaultRule,
  operation: DeviceOperation,
  offset: number,
  length: number,
): boolean {
  if (operations !== undefined && !operations.includes(operation)) return false;
  if (range === undefined) return true;
  return length > 0 && offset < range.offset + range.length && range.offset < offset + length;
}

function failAfter(work: () => MaybePromise<void>, error: VarveError): MaybePromise<void> {
  return runSteps(
    (function* (): Steps {
      yield work();
      throw error;
    })(),
  );
}

function fault(verb: string, { code = 'IO' }: FaultRule): VarveError {
  return new VarveError(code, `cannot ${verb} the device: a fault filter was told to fail this request`);
}
