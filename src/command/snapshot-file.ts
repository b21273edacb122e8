import { basename } from 'node:path';
import { type SnapshotFileOptions, snapshotFile } from '../image/file-history/snapshot-file.ts';
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
