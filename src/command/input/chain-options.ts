import type { Command } from 'commander';
import type { ChainOptions } from '../../image/file-history/open-chain.ts';

/** What the options that say which files of a chain are opened came to. */
export interface ChainFlags {
  readonly follow?: boolean;
  readonly allow?: readonly string[];
}

/** Declares `--follow` and `--allow`. */
export function addChainOptions(command: Command): Command {
  return command
    .option('--follow', 'also open the files it builds on that are in other directories')
    .option(
      '--allow <directory>',
      'open those that are in this directory, or below; may be given again',
      collectDirectories,
    );
}

/** The options in the library's terms. */
export function chainOptions({ follow, allow }: ChainFlags): ChainOptions {
  return { follow, allowed: allow };
}

/** One directory more, for options that may be given again. */
export function collectDirectories(directory: string, before: readonly string[] = []): string[] {
  return [...before, directory];
}
