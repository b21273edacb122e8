import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { systemError, VarveError } from '../base/varve-error.ts';

/** The system calls that Node lacks, as C has them: −1 is a failure, and `errno` then says which. */
interface Libc {
  lseek(fd: number, offset: number, whence: number): number;
  fallocate(fd: number, mode: number, offset: number, length: number): number;
  flock(fd: number, operation: number): number;
  ioctl(fd: number, request: number, argument: NodeJS.TypedArray): number;
  setsockopt(fd: number, level: number, option: number, value: Int32Array, length: number): number;
  /** For commands that take a `struct flock`, or a number. */
  fcntl(fd: number, command: number, argument: Uint8Array | bigint): number;
  /** The number of the last failure; ask before anything else is called. */
  errno(): number;
}

/** Whether this is a system whose calls the functions of this folder make; elsewhere they throw `UNSUPPORTED`. */
export const isLinux: boolean = process.platform === 'linux';

let loaded: Libc | undefined;

/**
 * The C library of this process, loaded at the first call: loading koffi costs about 13 ms, which a command that
 * makes no such call must not pay.
 *
 * @throws VarveError `UNSUPPORTED` on other systems than 64-bit Linux
 */
export function libc(): Libc {
  loaded ??= load();
  return loaded;
}

function load(): Libc {
  // On 32-bit machines off_t has two widths and two sets of functions; Varve's offsets need the wide one.
  if (!isLinux || process.arch === 'arm' || process.arch === 'ia32') {
    throw new VarveError('UNSUPPORTED', `cannot make Linux system calls: this is ${process.platform} ${process.arch}`);
  }
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  // What Node itself is linked with, so that glibc and musl both will do.
  const library = koffi.load(null);
  return {
    lseek: library.func('int64_t lseek(int fd, int64_t offset, int whence)') as Libc['lseek'],
    fallocate: library.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)') as Libc['fallocate'],
    flock: library.func('int flock(int fd, int operation)') as Libc['flock'],
    ioctl: library.func('int ioctl(int fd, unsigned long request, void *argument)') as Libc['ioctl'],
    fcntl: library.func('int fcntl(int fd, int command, void *argument)') as Libc['fcntl'],
    setsockopt: library.func(
      'int setsockopt(int fd, int level, int option, void *value, uint32_t length)',
    ) as Libc['setsockopt'],
    errno: () => koffi.errno(),
  };
}

const namesByErrno = new Map<number, string>(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/**
 * The `VarveError` for `errno`, in the words of Node's own calls: `cannot <doing>: <reason>`, with a cause whose
 * `code`, `errno` and `syscall` are what Node would have set.
 */
export function errnoError(doing: string, syscall: string, errno: number): unknown {
  const code = namesByErrno.get(errno) ?? `E${errno}`;
  return systemError(doing, Object.assign(new Error(`${code}, ${syscall}`), { code, errno: -errno, syscall }));
}
