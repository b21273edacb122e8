import { basename } from 'node:path';
import { VarveError } from '../base/varve-error.ts';
import { type SnapshotFileOptions, snapshotFile } from '../image/file-history/snapshot-file.ts';
import { createInternalSnapshot } from '../image/internal-snapshots.ts';
import type { CommandContext } from './framework/command-context.ts';
import { registerPath } from './framework/register-path.ts';

/** What `varve snapshot` does to a disk file, and prints. */
export async function showFileSnapshot(
  context: CommandContext,
  path: string,
  options: SnapshotFileOptions,
): Promise<void> {
  const made = await snapshotFile(path, { ...options, register: registerPath(context.storePath) });
  context.show({ kind: 'file', ...made }, () => {
    const line = `${basename(path)} -> ${basename(made.base)}`;
    const isRenamed = options.overlay !== undefined && basename(made.overlay) !== basename(path);
    return isRenamed ? `${line}\ngo on with ${basename(made.overlay)}, which builds on it` : line;
  });
}

/** What else `varve snapshot` is asked for, which does not go together with a snapshot inside the file. */
interface OtherOptions {
  readonly as?: string | undefined;
  readonly overlay?: string | undefined;
  readonly message?: string | undefined;
  readonly format?: string | undefined;
}

/** What `varve snapshot --internal` does to a disk file, and prints. */
export async function showInternalSnapshot(
  context: CommandContext,
  path: string,
  name: string,
  { as, format, message, overlay }: OtherOptions,
): Promise<void> {
  if ((as ?? overlay ?? message) !== undefined) {
    throw new VarveError('INVALID', 'a snapshot inside a file has a name and no message, and makes no other file');
  }
  const id = await createInternalSnapshot(path, name, { format });
  context.show({ kind: 'internal snapshot', path, id, name }, () => `snapshot ${name} made inside ${path}`);
}
