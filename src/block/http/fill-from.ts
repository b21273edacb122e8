import type { IncomingMessage } from 'node:http';
import { VarveError } from '../../base/varve-error.ts';
import { PassingError } from './http-error.ts';

/**
 * Reads the body of an answer into `targets`, one behind the other.
 *
 * @throws PassingError for a body that ends early, VarveError `CORRUPT` for one that goes on
 */
export async function fillFrom(answer: IncomingMessage, targets: readonly Uint8Array[], label: string): Promise<void> {
  const filling = new Filling(targets);
  await new Promise<void>((resolve, reject) => {
    answer.on('data', (chunk: Uint8Array) => {
      if (filling.take(chunk)) return;
      reject(new VarveError('CORRUPT', `cannot read ${label}: the server sends without end`));
      answer.destroy();
    });
    answer.on('end', resolve);
    answer.on('error', reject);
    answer.on('close', resolve);
  });
  if (!filling.isDone) throw new PassingError('IO', `cannot read ${label}: the answer ends early`);
}

/** Buffers that are filled one behind the other. */
class Filling {
  readonly #targets: readonly Uint8Array[];
  #index = 0;
  /** How much of the present buffer is filled, in bytes. */
  #filled = 0;

  constructor(targets: readonly Uint8Array[]) {
    this.#targets = targets;
  }

  /** Whether all of them are full. */
  get isDone(): boolean {
    return this.#index === this.#targets.length;
  }

  /** False for more than there is room for. */
  take(chunk: Uint8Array): boolean {
    for (let done = 0; done < chunk.length; ) {
      const target = this.#targets[this.#index];
      if (target === undefined) return false;
      const part = chunk.subarray(done, done + target.length - this.#filled);
      target.set(part, this.#filled);
      done += part.length;
      this.#filled += part.length;
      if (this.#filled < target.length) continue;
      this.#index += 1;
      this.#filled = 0;
    }
    return true;
  }
}
