import type { CommandContext } from './framework/command-context.ts';
import type { DetailsOptions } from './input/details.ts';
import type { DiffOptions } from './input/diff-options.ts';

/** What the options of `varve netboot` came to, of all its verbs. */
export interface NetbootOptions extends DetailsOptions, DiffOptions {
  readonly force?: boolean;
  readonly none?: boolean;
  readonly all?: boolean;
  readonly follow?: boolean;
  readonly interface?: readonly string[];
  readonly config?: string;
  readonly image?: string;
  readonly boot?: string;
  readonly overlay?: string;
  readonly dhcp?: string;
  readonly range?: readonly string[];
  readonly files?: string;
  readonly kernel?: string;
  readonly initramfs?: string;
  readonly root?: string;
  readonly arguments?: string;
  readonly port?: readonly string[];
  readonly user?: string;
  readonly password?: string;
  readonly keyFile?: string;
}

/** Something that `varve netboot` does to machines: one file each. */
export interface NetbootVerb {
  /** What stands behind it, as help has it; in brackets what may be left out. */
  readonly words: readonly string[];
  /** The options that go with it. */
  readonly options: readonly (keyof NetbootOptions)[];
  /** @returns the exit status where it is not 0 */
  run(context: CommandContext, words: readonly string[], options: NetbootOptions): Promise<number | undefined | void>;
}
