/*
 * The locks by which programs keep out of each other's disk images. QEMU defined them; whoever takes the same ones is
 * understood by it and by everybody who does so, too. They are read locks on single bytes of the image, of the kind that
 * belongs to the open file:
 *
 *   byte 100 + n   I do n
 *   byte 200 + n   I do not want others to do n
 *
 *   n   0  read what is consistent
 *       1  write
 *       2  write what leaves the content as it is
 *       3  change the size
 *
 * A program first takes its own, then looks whether anybody holds the counterpart of one of them.
 *
 * Source: fcntl(2), "Open file description locks"; QEMU docs/system/qemu-block-drivers, "Disk image file locking";
 * the bytes were seen in /proc/locks.
 */
import { constants } from 'node:os';
import { errnoError, isLinux, libc } from './libc.ts';

/** What somebody wants with a disk: to read it while nobody writes, or to write it alone. */
export type DiskAccess = 'read' | 'write';

/** What others do that does not go with what was wanted. */
export type DiskConflict = 'others write' | 'others read';

const doesBase = 100;
const forbidsBase = 200;

const permission = { read: 0, write: 1, resize: 3 } as const;

const does: Readonly<Record<DiskAccess, readonly number[]>> = {
  read: [permission.read],
  write: [permission.read, permission.write, permission.resize],
};
/** Neither who reads nor who writes can stand that others write. */
const forbids: readonly number[] = [permission.write, permission.resize];

/*
 * struct flock, as all of koffi's 64-bit Linux machines have it; asm-generic/fcntl.h:
 *
 *   byte 0 short l_type   2 short l_whence   8 int64 l_start   16 int64 l_len   24 int l_pid
 */
const flockLength = 32;
const readLock = 0;
const writeLock = 1;
const noLock = 2;
const getLockCommand = 36;
const setLockCommand = 37;

/** Where locks cannot be had (NFS without its daemon, some FUSE file systems), and QEMU goes on without, too. */
const unavailable: readonly number[] = ['EINVAL', 'ENOLCK', 'ENOSYS', 'EOPNOTSUPP'].map(
  (name) => constants.errno[name as keyof typeof constants.errno],
);

/**
 * Takes the locks of somebody who reads or writes the disk in an open file, as QEMU does. They belong to the open file:
 * they end when `fd` is closed, or when the process dies however it dies. `path` names the file in errors.
 *
 * @returns what is in the way, and then no lock is left; undefined where there is nothing, or where this system or file
 *   system has no such locks
 * @throws VarveError by errno
 */
export function lockDisk(fd: number, access: DiskAccess, path = `file ${fd}`): DiskConflict | undefined {
  if (!isLinux) return undefined;
  const own = [...does[access].map((bit) => doesBase + bit), ...forbids.map((bit) => forbidsBase + bit)];
  if (!own.every((byte) => setLock(fd, byte, readLock, path))) return undefined;
  const conflict = conflictWith(fd, access, path);
  if (conflict !== undefined) for (const byte of own) setLock(fd, byte, noLock, path);
  return conflict;
}

function conflictWith(fd: number, access: DiskAccess, path: string): DiskConflict | undefined {
  if (forbids.some((bit) => isLocked(fd, doesBase + bit, path))) return 'others write';
  return does[access].some((bit) => isLocked(fd, forbidsBase + bit, path)) ? 'others read' : undefined;
}

/** False where locks cannot be had. */
function setLock(fd: number, byte: number, type: number, path: string): boolean {
  return fcntl(fd, setLockCommand, flockOf(type, byte), path);
}

/** Whether another open file has a lock of any kind on a byte. */
function isLocked(fd: number, byte: number, path: string): boolean {
  const lock = flockOf(writeLock, byte);
  return fcntl(fd, getLockCommand, lock, path) && new Int16Array(lock.buffer)[0] !== noLock;
}

function fcntl(fd: number, command: number, lock: Uint8Array, path: string): boolean {
  const { fcntl: call, errno } = libc();
  if (call(fd, command, lock) !== -1) return true;
  const number = errno();
  if (unavailable.includes(number)) return false;
  throw errnoError(`lock ${path}`, 'fcntl', number);
}

function flockOf(type: number, byte: number): Uint8Array<ArrayBuffer> {
  const lock = new Uint8Array(flockLength);
  new Int16Array(lock.buffer)[0] = type;
  new BigInt64Array(lock.buffer).set([BigInt(byte), 1n], 1);
  return lock;
}
