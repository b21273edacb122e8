import { isVarveError } from '../base/varve-error.ts';
import type { FileSystem } from '../filesystem/file-system.ts';
import { type GuestVolume, openVolume } from '../guest/guest-volume.ts';
import type { Guest } from '../guest/open-guest.ts';

/** A disk that was looked into. */
export interface OpenGuest {
  /** As messages name it: `web@3`. */
  readonly label: string;
  readonly guest: Guest;
}

/** A volume with a file system that is known, and where its files are. */
export interface ComparedVolume {
  readonly volume: GuestVolume;
  /** What paths of its files begin with: `/`, `/boot`; `/dev/sda2:/` where it is mounted nowhere. */
  readonly prefix: string;
  readonly isMounted: boolean;
  /** Opens it; what has to be closed goes on the stack. Undefined where it cannot be read. */
  open(stack: AsyncDisposableStack): Promise<FileSystem | undefined>;
}

/** The file systems of a disk whose files can be compared, by where these are. */
export function comparedVolumes({ guest, label }: OpenGuest): Map<string, ComparedVolume> {
  const mounted = guest.mounts.map(({ directory, fileSystem, volume }): ComparedVolume => {
    return { volume, prefix: directory, isMounted: true, open: () => Promise.resolve(fileSystem) };
  });
  const others = guest.volumes.filter(({ directory, holds }) => holds === 'files' && directory === undefined);
  const unmounted = others.map((volume): ComparedVolume => {
    return {
      volume,
      prefix: `${volume.name}:/`,
      isMounted: false,
      open: (stack) => openUnmounted(volume, label, stack),
    };
  });
  return new Map([...mounted, ...unmounted].map((each) => [each.prefix, each]));
}

async function openUnmounted(
  volume: GuestVolume,
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
