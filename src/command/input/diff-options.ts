import type { Command } from 'commander';

/** What the options came to that say what of a comparison is shown. */
export interface DiffOptions {
  readonly exitCode?: boolean;
  readonly meaning?: boolean;
  readonly patch?: boolean;
  readonly ranges?: boolean;
  readonly renames?: boolean;
  readonly stat?: boolean;
  readonly times?: boolean;
}

/** Declares them. */
export function addDiffOptions(command: Command): Command {
  return command
    .option('-p, --patch', 'how text files changed, line by line, as git has it')
    .option('--stat', 'how large files were, and are, and how many lines changed')
    .option('--meaning', 'what it means: packages, users, services, kernels, lines of settings; and no files')
    .option('--times', 'also tell of files of which only the time of their last change differs')
    .option('--no-renames', 'tell of a file that was renamed as one that was deleted and one that was added')
    .option('--ranges', 'which bytes differ, and not which files')
    .option('--exit-code', 'end with status 1 when they differ');
}
