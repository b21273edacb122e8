import { basename, dirname, relative } from 'node:path';
import { VarveError } from '../base/varve-error.ts';
import { type RestoreFileOptions, restoreFile } from '../image/file-history/restore-file.ts';
import type { CommandContext } from './framework/command-context.ts';
import { registerPath } from './framework/register-path.ts';

/** What `varve restore` does to a disk file, and prints. */
export async function showFileRestored(
  context: CommandContext,
  path: string,
  name: string | undefined,
  { to, ...options }: Omit<RestoreFileOptions, 'to'> & { readonly to: string | undefined },
): Promise<void> {
  if (name !== undefined)
    throw new VarveError('INVALID', `a disk file is restored in place; for another one write --to`);
  if (to === undefined) {
    const advice = `varve log ${path} lists them; give --to FILE`;
    throw new VarveError('INVALID', `which earlier file is ${path} to go back to? ${advice}`);
  }
  const restored = await restoreFile(path, { ...options, to, register: registerPath(context.storePath) });
  context.show({ kind: 'file', ...restored, kept: restored.kept ?? null }, () => {
    const base = relative(dirname(restored.path), restored.base);
    const line = `${basename(path)} restored: it builds on ${base} now`;
    return restored.kept === undefined ? line : `${basename(path)} -> ${basename(restored.kept)}\n${line}`;
  });
}
