import { constants } from 'node:os';
import { VarveError } from '../base/varve-error.ts';
import { errnoError, isLinux } from './libc.ts';
import { loadKoffi } from './load-koffi.ts';

/*
 * What Node cannot give to a file. Paths are bytes, and followed to their end: `/proc/self/fd/N` is the file that is open as
 * N, also a symlink that was opened by O_PATH.
 *
 * Source: setxattr(2), removexattr(2), utimensat(2), mknod(2), makedev(3).
 */
interface Calls {
  setxattr(path: Uint8Array, name: Uint8Array, value: Uint8Array, length: number, flags: number): number;
  removexattr(path: Uint8Array, name: Uint8Array): number;
  utimensat(directory: number, path: Uint8Array, times: BigInt64Array, flags: number): number;
  mknod(path: Uint8Array, mode: number, device: bigint): number;
  errno(): number;
}

/** Kinds of files that only `makeNode` makes, as the upper bits of a mode. */
export const nodeKinds = { fifo: 0o010000, character: 0o020000, block: 0o060000, socket: 0o140000 } as const;

const thisDirectory = -100;

let loaded: Calls | undefined;

/** Apart from `libc`, so that what gives nothing to files does not load it; old C libraries have no `mknod`. */
function calls(): Calls {
  loaded ??= load();
  return loaded;
}

function load(): Calls {
  if (!isLinux) throw new VarveError('UNSUPPORTED', 'cannot give files what Linux keeps of them: this is no Linux');
  const koffi = loadKoffi();
  const library = koffi.load(null);
  const set = 'int setxattr(const void *path, const void *name, const void *value, uint64_t length, int flags)';
  const times = 'int utimensat(int directory, const void *path, const void *times, int flags)';
  return {
    setxattr: library.func(set) as Calls['setxattr'],
    removexattr: library.func('int removexattr(const void *path, const void *name)') as Calls['removexattr'],
    utimensat: library.func(times) as Calls['utimensat'],
    mknod: library.func('int mknod(const void *path, uint32_t mode, uint64_t device)') as Calls['mknod'],
    errno: () => koffi.errno(),
  };
}

/** Gives a file an extended attribute. @throws VarveError by errno; `UNSUPPORTED` where its file system keeps none */
export function setExtendedAttribute(path: Uint8Array, name: string, value: Uint8Array): void {
  const { errno, setxattr } = calls();
  if (setxattr(terminated(path), terminated(Buffer.from(name)), value, value.length, 0) === 0) return;
  const number = errno();
  const cause = errnoError(`set ${name}`, 'setxattr', number);
  if (number !== constants.errno.ENOTSUP) throw cause;
  throw new VarveError('UNSUPPORTED', `cannot set ${name}: the file system keeps no such attributes`, { cause });
}

/** Takes an extended attribute away, if the file has it. @throws VarveError by errno */
export function removeExtendedAttribute(path: Uint8Array, name: string): void {
  const { errno, removexattr } = calls();
  if (removexattr(terminated(path), terminated(Buffer.from(name))) === 0) return;
  const number = errno();
  if (number === constants.errno.ENODATA || number === constants.errno.ENOTSUP) return;
  throw errnoError(`remove ${name}`, 'removexattr', number);
}

/** A moment in nanoseconds since 1970. */
export interface FileTimes {
  readonly accessed: bigint;
  readonly modified: bigint;
}

const second = 1_000_000_000n;

/** Sets a file's times. @throws VarveError by errno */
export function setFileTimes(path: Uint8Array, { accessed, modified }: FileTimes): void {
  const parts = [accessed, modified].flatMap((time) => {
    const nanoseconds = ((time % second) + second) % second;
    return [(time - nanoseconds) / second, nanoseconds];
  });
  const { errno, utimensat } = calls();
  if (utimensat(thisDirectory, terminated(path), BigInt64Array.from(parts), 0) !== 0) {
    throw errnoError('set the times of a file', 'utimensat', errno());
  }
}

/** Makes a file of a kind that `nodeKinds` lists. @throws VarveError by errno: `EXISTS`, `PERMISSION` */
export function makeNode(
  path: Uint8Array,
  kind: keyof typeof nodeKinds,
  device: { readonly major: number; readonly minor: number } = { major: 0, minor: 0 },
): void {
  const [major, minor] = [BigInt(device.major), BigInt(device.minor)];
  const number =
    ((major & 0xffff_f000n) << 32n) | ((major & 0xfffn) << 8n) | ((minor & 0xffff_ff00n) << 12n) | (minor & 0xffn);
  const { errno, mknod } = calls();
  if (mknod(terminated(path), nodeKinds[kind] | 0o600, number) === 0) return;
  throw errnoError(`make a ${kind}`, 'mknod', errno());
}

function terminated(bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(bytes.length + 1);
  all.set(bytes);
  return all;
}
