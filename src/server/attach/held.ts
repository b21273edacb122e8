import type { AttachAccess } from './attached-disk-request.ts';
import type { Attachment, NbdAttachment } from './attachment.ts';

/** What a holder has open of a disk. Disposing of it closes the disk, and does not flush. */
export interface Held extends AsyncDisposable {
  readonly access: AttachAccess;
  /** The disk's, in bytes. */
  readonly size: number;
  /** Puts it before the kernel. */
  show(attachment: Pick<Attachment, 'nbd' | 'path'>): Promise<Shown>;
  flush(): Promise<void>;
}

/** What a holder shows of a disk to the kernel. */
export interface Shown {
  /** Where it is seen. */
  readonly path: string;
  /** The number of its mount, `0:53`. */
  readonly device?: string | undefined;
  /** How, where it is an NBD device. */
  readonly nbd?: NbdAttachment;
  /** Answers until the kernel has let go of it. `onError` is told of failures that programs only know as EIO. */
  serve(onError: (error: unknown) => void): Promise<void>;
  /** Takes it from the kernel, unless somebody uses it. */
  release(): Promise<void>;
}
