import { LruMap } from '../../../base/lru.ts';
import type { Log } from '../../../log/log.ts';
import { printable } from '../../../log/printable.ts';
import type { Boot } from './boot.ts';
import type { PlacedStep } from './boot-book.ts';
import { type Diagnosis, diagnose } from './diagnose.ts';
import { diagnosisText, stepText } from './step-text.ts';

/** Boots that have a scope at once; of more the oldest lose theirs, and are still in the journal. */
const mostScopes = 512;
/** Firmware gives up on a file and asks again at once: what failed counts when it is left at that. */
const graceMs = 2000;
const failureCount = 1024;

interface Scope {
  readonly boot: Boot;
  readonly log: Log;
  readonly end: () => void;
}

/** Gives each boot that goes on a scope of the log, so that what led to its failure is printed with it. */
export class BootScopes implements Disposable {
  readonly #log: Log;
  readonly #onFailure: ((boot: Boot, diagnosis: Diagnosis) => void) | undefined;
  /** By machine; the oldest first. */
  readonly #scopes = new Map<string, Scope>();
  /** What was said last of a machine: one that tries for ever fails in the same way each time. */
  readonly #failures = new LruMap<string, string>(failureCount);
  /** Boots that have a scope, or had one. */
  readonly #seen = new WeakSet<Boot>();

  constructor(log: Log, onFailure?: (boot: Boot, diagnosis: Diagnosis) => void) {
    this.#log = log;
    this.#onFailure = onFailure;
  }

  take({ boot, step }: PlacedStep): void {
    const { machine } = boot;
    const before = this.#scopes.get(machine);
    if (before !== undefined && before.boot !== boot) {
      // That it begins again says how the boot before has ended.
      this.#judge(before, Number.POSITIVE_INFINITY);
      this.#close(machine);
    }
    if (this.#seen.has(boot)) this.#scopes.get(machine)?.log(1, '%s %s', ...stepText(step));
    else this.#begin(boot);
  }

  /** Looks for boots that have come to nothing, or to all they want; `nowMs` is in milliseconds since 1970. */
  look(nowMs: number): void {
    for (const [machine, scope] of [...this.#scopes]) if (this.#judge(scope, nowMs)) this.#close(machine);
  }

  [Symbol.dispose](): void {
    for (const machine of [...this.#scopes.keys()]) this.#close(machine);
  }

  #begin(boot: Boot): void {
    this.#seen.add(boot);
    if (this.#scopes.size >= mostScopes) this.#close(this.#scopes.keys().next().value!);
    const { promise, resolve: end } = Promise.withResolvers<void>();
    void this.#log.scope(`boot of ${printable(boot.machine)}`, (log) => {
      this.#scopes.set(boot.machine, { boot, log, end });
      // A level starts over where its first template comes again: this one comes once.
      log(1, 'began at %s', new Date(boot.steps[0]!.timeMs).toISOString());
      // Until a machine asks for more than an address it has none.
      for (const step of boot.steps) log(1, '%s %s', ...stepText(step));
      return promise;
    });
  }

  /** Whether nothing more is to be said of it. */
  #judge({ boot, log }: Scope, nowMs: number): boolean {
    const diagnosis = diagnose(boot, nowMs);
    const { state } = diagnosis;
    if (state !== 'failed') {
      if (state !== 'booting') this.#failures.delete(boot.machine);
      return state === 'done' || state === 'ended';
    }
    if (nowMs - (boot.steps.at(-1)?.timeMs ?? 0) < graceMs) return false;
    const text = diagnosisText(diagnosis);
    if (this.#failures.get(boot.machine) === text) return true;
    this.#failures.set(boot.machine, text);
    log.fail('%s', `${boot.machine} ${text}`);
    this.#onFailure?.(boot, diagnosis);
    return true;
  }

  #close(machine: string): void {
    this.#scopes.get(machine)?.end();
    this.#scopes.delete(machine);
  }
}
