import { exitStatusOf } from '../../base/exit-status.ts';
import type { VarveError } from '../../base/varve-error.ts';
import type { CommandContext } from '../framework/command-context.ts';

/** What went wrong while a command went on: it is said at once, and the first one gives the exit status. */
export class Problems {
  readonly #context: CommandContext;
  #status = 0;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  readonly note = (error: VarveError): void => {
    this.#context.remark(error.message);
    if (this.#status === 0) this.#status = exitStatusOf(error);
  };

  /** 0 where nothing went wrong. */
  get exitStatus(): number {
    return this.#status;
  }
}
