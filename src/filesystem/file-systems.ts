import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import type { FileSystem, FileSystemDriver, OpenFileSystemOptions } from './file-system.ts';

/** Bytes without which a device holds no file system of a kind. */
interface Mark {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A kind of file system: how it is told that it may be one, so that its driver is loaded only then. */
interface KnownKind {
  readonly mark: Mark;
  load(): Promise<FileSystemDriver>;
}

function mark(offset: number, text: string): Mark {
  return { offset, bytes: Uint8Array.from(text, (character) => character.charCodeAt(0)) };
}

/** All kinds that are known, the most telling first. */
const knownKinds: readonly KnownKind[] = [
  { mark: mark(1080, '\x53\xef'), load: async () => (await import('./ext4/ext4.ts')).ext4 },
  { mark: mark(0, 'XFSB'), load: async () => (await import('./xfs/xfs.ts')).xfs },
  { mark: mark(65_600, '_BHRfS_M'), load: async () => (await import('./btrfs/btrfs.ts')).btrfs },
  { mark: mark(0, 'hsqs'), load: async () => (await import('./squashfs/squashfs.ts')).squashfs },
  { mark: mark(1024, '\xe2\xe1\xf5\xe0'), load: async () => (await import('./erofs/erofs.ts')).erofs },
  { mark: mark(32_769, 'CD001'), load: async () => (await import('./iso9660/iso9660.ts')).iso9660 },
  { mark: mark(3, 'NTFS    '), load: async () => (await import('./ntfs/ntfs.ts')).ntfs },
  { mark: mark(3, 'EXFAT   '), load: async () => (await import('./exfat/exfat.ts')).exfat },
  { mark: mark(510, '\x55\xaa'), load: async () => (await import('./fat/fat.ts')).fat },
];

/** Most marks are in there, and one read finds them. */
const headLength = 2048;

/** The kind of file system that a device holds, or undefined. Never fails for what is on the disk. */
export async function findFileSystem(device: BlockDevice): Promise<FileSystemDriver | undefined> {
  const head = new Uint8Array(Math.min(headLength, device.size));
  if (head.length > 0) await device.read(head, 0);
  for (const kind of knownKinds) {
    if (!(await hasMark(device, head, kind.mark))) continue;
    const driver = await kind.load();
    if ((await driver.identify(device)) !== undefined) return driver;
  }
  return undefined;
}

async function hasMark(device: BlockDevice, head: Uint8Array, { bytes, offset }: Mark): Promise<boolean> {
  const end = offset + bytes.length;
  if (end > device.size) return false;
  let found = head.subarray(offset, end);
  if (end > head.length) {
    found = new Uint8Array(bytes.length);
    await device.read(found, offset);
  }
  return found.every((byte, index) => byte === bytes[index]);
}

/**
 * Opens the file system that a device holds; the device stays the caller's.
 *
 * @throws VarveError `UNSUPPORTED` where it holds none that is known; `CORRUPT`
 */
export async function openFileSystem(device: BlockDevice, options: OpenFileSystemOptions): Promise<FileSystem> {
  const driver = await findFileSystem(device);
  if (driver !== undefined) return await driver.open(device, options);
  throw new VarveError('UNSUPPORTED', `${options.name} holds no file system that is known here`);
}
