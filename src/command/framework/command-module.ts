import type { Command } from 'commander';
import type { CommandContext } from './command-context.ts';

/** A line of `--help` that shows how a command is used: the command line, and what it does. */
export type Example = readonly [commandLine: string, meaning: string];

/** What an argument names, for completion: an image, a snapshot, either that or a file (`disk`), or a file. */
export type CompletionKind = 'image' | 'image or file' | 'snapshot' | 'disk' | 'file';

/**
 * One command. `Arguments` are what stands on the command line besides options, in order, those that may be left out
 * `undefined`; `Options` what commander makes of the options that `configure` declares.
 */
export interface CommandModule<
  Arguments extends readonly (string | undefined)[] = readonly (string | undefined)[],
  Options = object,
> {
  readonly examples: readonly Example[];
  /** Whether what stands behind `--` is a command to be run: its words become the option `command`. */
  readonly takesCommand?: boolean;
  /** What its arguments name, in order; `undefined` for what cannot be completed, such as a new name. */
  readonly completes?: readonly (CompletionKind | undefined)[];
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
  /** The heading under which `varve --help` lists it; without one, it is for programs and not listed. */
  readonly group?: string;
  /** What others call it: such a name is answered with this one. */
  readonly elsewhere?: readonly string[];
  /** What it does, in half a line without a full stop. */
  readonly summary: string;
  load(): Promise<CommandModule>;
}
