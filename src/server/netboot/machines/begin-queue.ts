import { VarveError } from '../../../base/varve-error.ts';
import type { BeginBoot, BegunBoot } from '../../../image/machine/begin-boots.ts';
import type { MachineRecord } from '../../../store/machine/machine-record.ts';
import type { MachineWorkers } from './machine-workers.ts';

/** So many boots begin together at the most. */
const mostTogether = 64;

interface Waiting extends PromiseWithResolvers<BegunBoot> {
  readonly begin: BeginBoot;
  readonly record: MachineRecord;
}

/** Lets boots begin together that come while others do: a room is switched on at once, and each by itself waits for the disk. */
export class BeginQueue {
  readonly #workers: MachineWorkers;
  readonly #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(workers: MachineWorkers) {
    this.#workers = workers;
  }

  /** Begins a boot, and keeps `record` with it; of one machine one at a time. @throws what beginning it throws */
  async begin(begin: BeginBoot, record: MachineRecord): Promise<BegunBoot> {
    const waiting = { ...Promise.withResolvers<BegunBoot>(), begin, record };
    this.#waiting.push(waiting);
    if (!this.#isRunning) void this.#run();
    return await waiting.promise;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) await this.#beginSome(this.#waiting.splice(0, mostTogether));
    this.#isRunning = false;
  }

  async #beginSome(some: readonly Waiting[]): Promise<void> {
    try {
      const boots = some.map(({ begin, record }) => ({ begin, record }));
      const begun = await this.#workers.do({ kind: 'begin', boots });
      for (const [index, outcome] of begun.entries()) {
        if ('failure' in outcome) some[index]!.reject(new VarveError(outcome.failure.code, outcome.failure.message));
        else some[index]!.resolve(outcome);
      }
    } catch (error) {
      for (const { reject } of some) reject(error);
    }
  }
}
