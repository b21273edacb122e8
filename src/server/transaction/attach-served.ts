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
 * Attaches disks that are served at `uris`, and mounts the first one where that is asked for: all at once, as each takes a
 * process or two that have to start.
 *
 * @throws VarveError as attaching and mounting do, where it is needed
 */
export async function attachServed(uris: readonly string[], options: AttachServedOptions): Promise<AttachedServed> {
  await using stack = new AsyncDisposableStack();
  const attaching = uris.map((uri) => attachDisk(requestFor(uri, options), { ...options, owner: ownIdentity() }));
  const [mounted, ...attached] = await Promise.allSettled([mountFirst(uris, options), ...attaching] as const);
  const made = attached.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  for (const each of made) stack.defer(() => close(each));
  // Before the others are closed.
  if (mounted.status === 'fulfilled') stack.use(mounted.value);
  const failed = [...attached, mounted].find((each) => each.status === 'rejected');
  if (failed !== undefined) {
    if (!options.isNeeded && isVarveError(failed.reason, 'PERMISSION', 'NOT_FOUND', 'UNSUPPORTED')) return nothing;
    throw failed.reason;
  }
  const all = stack.move();
  const paths = made.map(({ attachment }) => attachment.path);
  return { paths, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

const nothing: AttachedServed = { paths: [], async [Symbol.asyncDispose]() {} };

async function mountFirst([uri]: readonly string[], options: AttachServedOptions): Promise<AsyncDisposable> {
  const { mount, runDirectory } = options;
  if (mount === undefined || uri === undefined) return nothing;
  await mountElsewhere({ kind: 'mount', request: { disk: requestFor(uri, options), ...mount, runDirectory } });
  const unmount = { kind: 'unmount', directory: mount.directory, runDirectory } as const;
  return { [Symbol.asyncDispose]: () => mountElsewhere(unmount) };
}

function requestFor(uri: string, { register, storePath }: AttachServedOptions): AttachedDiskRequest {
  return { disk: uri, access: 'writable', storePath, register, options: {} };
}

async function close({ attachment, directory }: NewAttachment): Promise<void> {
  if (await closeAttachment(directory, attachment)) return;
  throw new VarveError('BUSY', `${attachment.path} is still in use; what the command wrote is not all there`);
}
