import type { BlockDevice } from '../block/block-device.ts';
import type { FileKind, FileStat, FileSystem, FileSystemDriver } from '../filesystem/file-system.ts';

/** What a file of a sample must be; what is left out is not compared. */
export interface ExpectedFile {
  /** From the root, in UTF-8 or whatever bytes the name has, without a `/` before it: `etc/fstab`. */
  readonly path: Uint8Array;
  readonly kind: FileKind;
  /** A file's bytes. */
  readonly content?: Uint8Array;
  /** A symlink's. */
  readonly target?: Uint8Array;
  readonly attributes?: Readonly<Record<string, Uint8Array>>;
  readonly stat?: Partial<Omit<FileStat, 'inode' | 'kind' | 'allocated'>>;
  /** Files with the same number here are one file with several names. */
  readonly sameAs?: number;
}

/** A disk with a file system on it, and what it holds. */
export interface FileSystemSample {
  readonly driver: FileSystemDriver;
  /** Opens the device anew; each test disposes of it. It may be written to, and writes go nowhere. */
  open(): Promise<BlockDevice> | BlockDevice;
  /** All files below the root, in no order; `lost+found` and what else mkfs makes by itself may be left out. */
  readonly files: readonly ExpectedFile[];
  /** What `files` leaves out, by path. */
  readonly ignored?: readonly string[];
  /** Bytes in which damage is tried out: where the structures are. */
  readonly structures?: { readonly offset: number; readonly length: number };
  /** Why it cannot be tested here; false to test it. */
  readonly skip?: string | false;
}

/** Opens a sample's file system for the time of a test. */
export async function withFileSystem(
  sample: () => Promise<FileSystemSample>,
  check: (fileSystem: FileSystem, sample: FileSystemSample, device: BlockDevice) => Promise<void>,
): Promise<void> {
  const made = await sample();
  await using device = await made.open();
  await using fileSystem = await made.driver.open(device, { name: 'sample' });
  await check(fileSystem, made, device);
}
