import { median, type Summary, summaryOf } from './statistics.ts';

/** One of several that are measured side by side. */
export interface Contestant {
  readonly name: string;
  /** What must be done before each round and is not measured. */
  prepare?(round: number): void | Promise<void>;
  /**
   * What is measured.
   * @returns the measurement in milliseconds, where it is not the time that this takes
   */
  run(round: number): number | void | Promise<number | void>;
}

/** The milliseconds of every round, by contestant. */
export class ContestResult {
  readonly #samples: ReadonlyMap<string, readonly number[]>;

  constructor(samples: ReadonlyMap<string, readonly number[]>) {
    this.#samples = samples;
  }

  get names(): string[] {
    return [...this.#samples.keys()];
  }

  summary(name: string): Summary {
    return summaryOf(this.#of(name));
  }

  /**
   * How many times as long `name` takes as `other`: the median over the rounds. In each round they ran one right
   * after the other, so what else the machine does weighs on both.
   */
  ratio(name: string, other: string): number {
    const others = this.#of(other);
    return median(this.#of(name).map((time, round) => time / (others[round] as number)));
  }

  #of(name: string): readonly number[] {
    const samples = this.#samples.get(name);
    if (samples === undefined) throw new RangeError(`no contestant ${name}`);
    return samples;
  }
}

/**
 * Measures contestants in turn, round after round, each round in the opposite order of the one before. Rounds before
 * the first are for warming up and do not count.
 */
export async function contest(
  contestants: readonly Contestant[],
  { rounds, warmUps = 1 }: { rounds: number; warmUps?: number },
): Promise<ContestResult> {
  const samples = new Map<string, number[]>(contestants.map(({ name }) => [name, []]));
  for (let round = -warmUps; round < rounds; round += 1) {
    const inOrder = round % 2 === 0 ? contestants : contestants.toReversed();
    for (const contestant of inOrder) {
      const time = await measure(contestant, round);
      if (round >= 0) samples.get(contestant.name)?.push(time);
    }
  }
  return new ContestResult(samples);
}

async function measure(contestant: Contestant, round: number): Promise<number> {
  await contestant.prepare?.(round);
  const start = performance.now();
  const own = await contestant.run(round);
  return own ?? performance.now() - start;
}
