import type { BlockDevice } from '../../block/block-device.ts';
import type { OpenWritableDiskOptions } from '../../image/file-disk.ts';

/** What may be done to an attached disk: `ephemeral` is written to a throw-away overlay. */
export type AttachAccess = 'writable' | 'read-only' | 'ephemeral';

/** Which disk is attached, and how it is opened: what goes to another process, so that it is plain data. */
export interface AttachedDiskRequest {
  /** As on the command line; a file by its full path. */
  readonly disk: string;
  readonly access: AttachAccess;
  readonly storePath: string;
  /** Where it is noted which disk files build on which. */
  readonly register: string;
  /** A file with the passphrase or key of an encrypted disk. */
  readonly keyFile?: string | undefined;
  /** Filters through which it is seen, as `--filter` has them. */
  readonly filters?: readonly string[] | undefined;
  readonly options: Pick<
    OpenWritableDiskOptions,
    'allowed' | 'follow' | 'force' | 'forceShare' | 'format' | 'internalSnapshot' | 'member'
  >;
}

/** An open disk that is to be attached. Disposing of it closes it, and does not flush. */
export interface AttachedDisk extends AsyncDisposable {
  readonly device: BlockDevice;
  /** What came of it: a snapshot is only read unless it is ephemeral. */
  readonly access: AttachAccess;
}
