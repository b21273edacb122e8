import { log } from '../../../log/log.ts';
import type { MachineRecord } from '../../../store/machine/machine-record.ts';
import type { MachineWorkers } from './machine-workers.ts';

const delayMs = 5000;

/** Keeps what is nice to know of machines, such as when they were last heard of, a while later and together. */
export class LateRecords implements AsyncDisposable {
  readonly #workers: MachineWorkers;
  readonly #waiting = new Map<string, () => MachineRecord | undefined>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;

  constructor(workers: MachineWorkers) {
    this.#workers = workers;
  }

  /** Lets what `record` says by then be kept. */
  add(mac: string, record: () => MachineRecord | undefined): void {
    this.#waiting.set(mac, record);
    this.#timer ??= setTimeout(() => void this.#write(), delayMs).unref();
  }

  /** Keeps what waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#write();
  }

  async #write(): Promise<void> {
    this.#timer = undefined;
    const records = [...this.#waiting.values()].flatMap((record) => record() ?? []);
    this.#waiting.clear();
    if (records.length === 0) return;
    // On a full disk the machines go on, and with them what is known of them.
    this.#writing = this.#workers.do({ kind: 'record', records }).then(
      () => {},
      (error) => log.error(error),
    );
    await this.#writing;
  }
}
