import { basename, dirname, relative } from 'node:path';
import { VarveError } from '../base/varve-error.ts';
import { type RestoreFileOptions, restoreFile } from '../image/file-history/restore-file.ts';
import { applyInternalSnapshot } from '../image/internal-snapshots.ts';
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

/** What else `varve restore` is asked for. */
interface OtherOptions {
  readonly name: string | undefined;
  readonly to?: string;
  readonly as?: string;
  readonly discard?: boolean;
  readonly force?: boolean;
}

/** What `varve restore --internal` does to a disk file, and prints. */
export async function showInternalRestored(
  context: CommandContext,
  path: string,
  snapshot: string,
  { as, discard, force, name, to }: OtherOptions,
): Promise<void> {
  if ((name ?? to ?? as) !== undefined) {
    throw new VarveError('INVALID', 'a snapshot inside a file is restored in the file; leave out --to and --as');
  }
  if (!discard) {
    const advice = `give --discard, or keep it first: varve snapshot ${path} --internal NAME`;
    throw new VarveError('INVALID', `what ${path} holds now would be lost; ${advice}`);
  }
  await applyInternalSnapshot(path, snapshot, { force, register: registerPath(context.storePath) });
  context.show({ kind: 'internal snapshot', path, snapshot }, () => `${path} restored to ${snapshot}, inside the file`);
}
