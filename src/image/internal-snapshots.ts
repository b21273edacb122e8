import type { BlockDevice } from '../block/block-device.ts';
import { openFileDevice } from '../block/file-device.ts';
import { formatNamed, internalSnapshotsOf, probeFormat } from '../format/formats.ts';
import type { InternalSnapshots } from '../format/image-format.ts';
import { requireNoChildren } from './file-history/children.ts';

/** How a file with snapshots inside is opened to change them. */
export interface InternalSnapshotOptions {
  /** The name of the file's format; its content shows it where nothing is given. */
  readonly format?: string | undefined;
}

/** How the disk in a file is made what it was. */
export interface ApplyInternalSnapshotOptions extends InternalSnapshotOptions {
  /** Also where other files build on it, which changes what they hold. */
  readonly force?: boolean | undefined;
  /** Where it is written down which files build on which. */
  readonly register?: string | undefined;
}

/**
 * Keeps the disk in a file as it is now as a snapshot inside the file, and gives its id.
 *
 * @throws VarveError `EXISTS`, `INVALID` for a name, `UNSUPPORTED` for a format that has none, `BUSY`, `NO_SPACE`
 */
export async function createInternalSnapshot(
  path: string,
  name: string,
  options: InternalSnapshotOptions = {},
): Promise<string> {
  return await withSnapshots(path, options, (snapshots, file) => snapshots.create(file, path, { name }));
}

/**
 * Makes the disk in a file what it was when a snapshot inside the file was made. What it is now is lost.
 *
 * @throws VarveError `NOT_FOUND`, `UNSUPPORTED`, `BUSY` also where other files build on it, `NO_SPACE`
 */
export async function applyInternalSnapshot(
  path: string,
  snapshot: string,
  options: ApplyInternalSnapshotOptions = {},
): Promise<void> {
  if (!options.force) await requireNoChildren(path, `change ${path}`, { register: options.register });
  await withSnapshots(path, options, (snapshots, file) => snapshots.apply(file, path, snapshot));
}

/**
 * Forgets a snapshot inside a file, and gives its space back to the file.
 *
 * @throws VarveError `NOT_FOUND`, `UNSUPPORTED`, `BUSY`
 */
export async function deleteInternalSnapshot(
  path: string,
  snapshot: string,
  options: InternalSnapshotOptions = {},
): Promise<void> {
  await withSnapshots(path, options, (snapshots, file) => snapshots.delete(file, path, snapshot));
}

async function withSnapshots<T>(
  path: string,
  { format }: InternalSnapshotOptions,
  change: (snapshots: InternalSnapshots, file: BlockDevice) => Promise<T>,
): Promise<T> {
  await using file = await openFileDevice(path, { lock: true });
  const chosen = format === undefined ? await probeFormat(file, path) : formatNamed(format);
  return await change(internalSnapshotsOf(chosen, path), file);
}
