import { isVarveError } from '../base/varve-error.ts';
import type { FileSystem } from '../filesystem/file-system.ts';
import { openVolume } from '../guest/guest-volume.ts';
import type { Guest, MountedVolume } from '../guest/open-guest.ts';

/** A disk that was looked into. */
export interface OpenGuest {
  /** As messages name it: `web@3`. */
  readonly label: string;
  readonly guest: Guest;
}

/** A volume with a file system that is known, and where its files are. */
export interface ComparedVolume {
  readonly volume: MountedVolume;
  /** What paths of its files begin with: `/`, `/boot`; `/dev/sda2:/` where it is mounted nowhere. */
  readonly prefix: string;
  /** Opens it; what has to be closed goes on the stack. Undefined where it cannot be read. */
  open(stack: AsyncDisposableStack): Promise<FileSystem | undefined>;
}

/** The volumes of a disk whose files can be compared, by where these are. */
export function comparedVolumes({ guest, label }: OpenGuest): Map<string, ComparedVolume> {
  const known = guest.volumes.filter(({ holds }) => holds === 'files');
  return new Map(
    known.map((volume) => {
      const { directory, name } = volume;
      const prefix = directory ?? `${name}:/`;
      const open = async (stack: AsyncDisposableStack) => {
        if (directory !== undefined) return (await guest.tree.resolve(directory)).fileSystem;
        return await openUnmounted(volume, label, stack);
      };
      return [prefix, { volume, prefix, open }];
    }),
  );
}

async function openUnmounted(
  volume: MountedVolume,
  label: string,
  stack: AsyncDisposableStack,
): Promise<FileSystem | undefined> {
  try {
    const fileSystem = await openVolume(volume, label);
    return fileSystem && stack.use(fileSystem);
  } catch (error) {
    if (isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) return undefined;
    throw error;
  }
}
