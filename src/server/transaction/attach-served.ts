import { isVarveError, VarveError } from '../../base/varve-error.ts';
import { ownIdentity } from '../../linux/process-identity.ts';
import { attachDisk, type NewAttachment } from '../attach/attach-disk.ts';
import type { AttachedDiskRequest } from '../attach/attached-disk-request.ts';
import { closeAttachment } from '../attach/detach-disk.ts';
import { mountElsewhere } from './mount-elsewhere.ts';

/** How disks are attached for a command. */
export interface AttachServedOptions {
  readonly runDirectory: string;
  readonly storePath: string;
  readonly register: string;
  /** An existing directory on which the first disk's file system is mounted. */
  readonly mount?: { readonly directory: string; readonly partition?: number | undefined } | undefined;
  /** Whether it is an error where disks cannot be attached here. */
  readonly isNeeded: boolean;
  readonly signal: AbortSignal;
}

/** Disks as files of this machine. Disposing writes what they were given, and takes them away. */
export interface AttachedServed extends AsyncDisposable {
  /** A path for each disk; empty where they cannot be attached here. */
  readonly paths: readonly string[];
}

/**
 * Attaches disks that are served at `uris`, and mounts the first one where that is asked for.
 *
 * @throws VarveError as attaching and mounting do, where it is needed
 */
export async function attachServed(uris: readonly string[], options: AttachServedOptions): Promise<AttachedServed> {
  await using stack = new AsyncDisposableStack();
  const paths: string[] = [];
  try {
    for (const uri of uris) {
      const made = await attachDisk(requestFor(uri, options), { ...options, owner: ownIdentity() });
      stack.defer(() => close(made));
      paths.push(made.attachment.path);
    }
  } catch (error) {
    if (options.isNeeded || !isVarveError(error, 'PERMISSION', 'NOT_FOUND', 'UNSUPPORTED')) throw error;
    return { paths: [], [Symbol.asyncDispose]: async () => {} };
  }
  await mountFirst(uris, options, stack);
  const attached = stack.move();
  return { paths, [Symbol.asyncDispose]: () => attached.disposeAsync() };
}

async function mountFirst(
  [uri]: readonly string[],
  options: AttachServedOptions,
  stack: AsyncDisposableStack,
): Promise<void> {
  const { mount, runDirectory } = options;
  if (mount === undefined || uri === undefined) return;
  await mountElsewhere({ kind: 'mount', request: { disk: requestFor(uri, options), ...mount, runDirectory } });
  stack.defer(() => mountElsewhere({ kind: 'unmount', directory: mount.directory, runDirectory }));
}

function requestFor(uri: string, { register, storePath }: AttachServedOptions): AttachedDiskRequest {
  return { disk: uri, access: 'writable', storePath, register, options: {} };
}

async function close({ attachment, directory }: NewAttachment): Promise<void> {
  if (await closeAttachment(directory, attachment)) return;
  throw new VarveError('BUSY', `${attachment.path} is still in use; what the command wrote is not all there`);
}
