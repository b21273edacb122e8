import type { Store } from '../../store/store.ts';
import type { CommandContext } from './command-context.ts';

/** The user's store, for commands that may do without: it is opened when it is asked for, and closed at the end. */
export class LazyStore implements AsyncDisposable {
  readonly #context: CommandContext;
  #opening: Promise<Store> | undefined;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  /** Opens the store, once. @throws what `openStore` throws */
  readonly open = (): Promise<Store> => {
    this.#opening ??= this.#context.openStore();
    return this.#opening;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    const store = await this.#opening?.catch(() => undefined);
    await store?.[Symbol.asyncDispose]();
  }
}
