import type { FuseOperations } from '../../linux/fuse/fuse-operations.ts';
import type { FuseMountOptions } from '../../linux/fuse/mount-fuse.ts';
import type { AttachAccess } from './attached-disk-request.ts';

/** What a holder shows of a disk that it has open. Disposing of it closes the disk, and does not flush. */
export interface Held extends AsyncDisposable {
  readonly operations: FuseOperations;
  readonly access: AttachAccess;
  /** The disk's, in bytes. */
  readonly size: number;
  readonly how: Omit<FuseMountOptions, 'target'>;
  flush(): Promise<void>;
}
