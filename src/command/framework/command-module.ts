import type { Command } from 'commander';
import type { CommandContext } from './command-context.ts';

/** A line of `--help` that shows how a command is used: the command line, and what it does. */
export type Example = readonly [commandLine: string, meaning: string];

/**
 * One command. `Arguments` are what stands on the command line besides options, in order, those that may be left out
 * `undefined`; `Options` what commander makes of the options that `configure` declares.
 */
export interface CommandModule<
  Arguments extends readonly (string | undefined)[] = readonly (string | undefined)[],
  Options = object,
> {
  readonly examples: readonly Example[];
  /** Declares arguments and options; those of every command are there already. */
  configure(command: Command): void;
  /**
   * Does it.
   * @returns the exit status where it is not 0
   */
  run(context: CommandContext, args: Arguments, options: Options): Promise<number | undefined | void>;
}

/** A command in the catalogue: enough to list it, and how to get the rest. */
export interface CatalogueEntry {
  readonly name: string;
  readonly group: string;
  /** What it does, in half a line without a full stop. */
  readonly summary: string;
  load(): Promise<CommandModule>;
}
