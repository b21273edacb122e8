import { VarveError } from '../base/varve-error.ts';
import type { ChangedFiles, FinishedCommit } from '../image/file-history/finish-commit.ts';
import type { CommandContext } from './framework/command-context.ts';
import { requireDiskFile } from './input/require-disk-file.ts';

/** What to do with files that others changed since. */
export interface RecoverOptions {
  readonly force?: boolean;
  readonly giveUp?: boolean;
}

const sayings: Readonly<Record<FinishedCommit | 'nothing', string>> = {
  done: 'the transaction is finished: its files have all of it',
  undone: 'the transaction is undone: its files are as they were',
  nothing: 'nothing was cut off',
};

/** `varve tx recover FILE…`: ends commits to several files that were cut off. */
export async function recoverFiles(
  context: CommandContext,
  paths: readonly string[],
  { force, giveUp }: RecoverOptions,
): Promise<void> {
  if (paths.length === 0) throw new VarveError('INVALID', 'name a file of the transaction');
  if (force && giveUp) throw new VarveError('INVALID', '--force and --give-up exclude each other');
  const { finishCommit } = await import('../image/file-history/finish-commit.ts');
  const { realPath } = await import('../image/file-history/image-file.ts');
  const changed: ChangedFiles = force ? 'overwritten' : giveUp ? 'left' : 'refused';
  const ended: { file: string; outcome: keyof typeof sayings }[] = [];
  for (const path of paths) {
    requireDiskFile(path, 'recover', 'a transaction on images needs no recovery');
    ended.push({ file: path, outcome: (await finishCommit(await realPath(path), changed)) ?? 'nothing' });
  }
  context.show(ended, () => ended.map(({ file, outcome }) => `${file}: ${sayings[outcome]}`).join('\n'));
}
