import { constants } from 'node:os';
import { systemError, VarveError } from '../base/varve-error.ts';
import { loadKoffi } from './load-koffi.ts';

/** The system calls that Node lacks, as C has them: −1 is a failure, and `errno` then says which. */
interface Libc {
  lseek(fd: number, offset: number, whence: number): number;
  fallocate(fd: number, mode: number, offset: number, length: number): number;
  flock(fd: number, operation: number): number;
  ioctl(fd: number, request: number, argument: NodeJS.TypedArray | bigint): number;
  setsockopt(fd: number, level: number, option: number, value: Int32Array, length: number): number;
  ioctlLater(fd: number, request: number, argument: NodeJS.TypedArray | bigint): Promise<number>;
  /** For commands that take a `struct flock`, or a number. */
  fcntl(fd: number, command: number, argument: Uint8Array | bigint): number;
  /** `length` bytes at most; the number of those read. Node's own would throw where nothing is there yet. */
  read(fd: number, target: Uint8Array, length: number): number;
  write(fd: number, source: Uint8Array, length: number): number;
  /** `offset` is one `off_t`, which is moved on. */
  sendfile(socketFd: number, fd: number, offset: BigInt64Array, length: number): number;
  /** `fds` is a `struct pollfd`; waits for `timeoutMs`, without an end where that is −1. */
  poll(fds: Uint8Array, count: number, timeoutMs: number): number;
  /** The same in Node's thread pool. What ends in `Later` gives −errno for a failure. */
  pollLater(fds: Uint8Array, count: number, timeoutMs: number): Promise<number>;
  mount(source: string, target: string, type: string | null, flags: number, data: string | null): number;
  umount2(target: string, flags: number): number;
  /** For whoever has to answer the kernel meanwhile. */
  umount2Later(target: string, flags: number): Promise<number>;
  socket(domain: number, type: number, protocol: number): number;
  socketpair(domain: number, type: number, protocol: number, fds: Int32Array): number;
  bind(fd: number, address: Uint8Array, size: number): number;
  connect(fd: number, address: Uint8Array, size: number): number;
  /** `address` is a `struct sockaddr` of some family. */
  sendto(fd: number, source: Uint8Array, length: number, flags: number, address: Uint8Array, size: number): number;
  epoll_create1(flags: number): number;
  /** `event` is a `struct epoll_event`. */
  epoll_ctl(epollFd: number, operation: number, fd: number, event: Uint8Array): number;
  epoll_wait(epollFd: number, events: Uint8Array, count: number, timeoutMs: number): number;
  /** 0 is a failure. */
  if_nametoindex(name: string): number;
  /** Receives bytes, and beside them what `control` (`struct cmsghdr` and on) has room for. */
  recvmsg(fd: number, message: MessageHeader, flags: number): number;
  prctl(option: number, a: bigint, b: bigint, c: bigint, d: bigint): number;
  waitpid(pid: number, status: bigint, options: number): number;
  /** The number of the last failure; ask before anything else is called. */
  errno(): number;
}

/** Whether this is a system whose calls the functions of this folder make; elsewhere they throw `UNSUPPORTED`. */
export const isLinux: boolean = process.platform === 'linux';

/** What koffi makes a `struct msghdr` of. */
export interface MessageHeader {
  readonly msg_name: null;
  readonly msg_namelen: number;
  readonly msg_iov: readonly [{ readonly iov_base: Uint8Array; readonly iov_len: number }];
  readonly msg_iovlen: number;
  readonly msg_control: Uint8Array;
  /** In bytes; what was used, afterwards. */
  readonly msg_controllen: number;
  readonly msg_flags: number;
}

let loaded: Libc | undefined;

/**
 * The C library of this process, loaded at the first call: loading koffi takes about 4 ms, which a command that
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
  const koffi = loadKoffi();
  // What Node itself is linked with, so that glibc and musl both will do.
  const library = koffi.load(null);
  const ioctl = library.func('int ioctl(int fd, unsigned long request, void *argument)');
  const failure = (): number => -koffi.errno();
  const poll = library.func('int poll(void *fds, unsigned long count, int timeout)');
  const umount2 = library.func('int umount2(const char *target, int flags)');
  // Source: recvmsg(2).
  const part = koffi.struct({ iov_base: 'void *', iov_len: 'uint64_t' });
  const messageHeader = koffi.inout(
    koffi.pointer(
      koffi.struct({
        ...{ msg_name: 'void *', msg_namelen: 'uint32_t', msg_iov: koffi.pointer(part), msg_iovlen: 'uint64_t' },
        ...{ msg_control: 'void *', msg_controllen: 'uint64_t', msg_flags: 'int' },
      }),
    ),
  );
  return {
    lseek: library.func('int64_t lseek(int fd, int64_t offset, int whence)') as Libc['lseek'],
    fallocate: library.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)') as Libc['fallocate'],
    flock: library.func('int flock(int fd, int operation)') as Libc['flock'],
    ioctl: ioctl as Libc['ioctl'],
    ioctlLater: inThreadPool(ioctl, failure),
    fcntl: library.func('int fcntl(int fd, int command, void *argument)') as Libc['fcntl'],
    read: library.func('int64_t read(int fd, void *target, uint64_t length)') as Libc['read'],
    write: library.func('int64_t write(int fd, void *source, uint64_t length)') as Libc['write'],
    sendfile: library.func('int64_t sendfile(int socketFd, int fd, void *offset, uint64_t length)') as Libc['sendfile'],
    poll: poll as Libc['poll'],
    pollLater: inThreadPool(poll, failure),
    mount: library.func(
      'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
    ) as Libc['mount'],
    umount2: umount2 as Libc['umount2'],
    umount2Later: inThreadPool(umount2, failure),
    socket: library.func('int socket(int domain, int type, int protocol)') as Libc['socket'],
    socketpair: library.func('int socketpair(int domain, int type, int protocol, void *fds)') as Libc['socketpair'],
    bind: library.func('int bind(int fd, void *address, uint32_t size)') as Libc['bind'],
    connect: library.func('int connect(int fd, void *address, uint32_t size)') as Libc['connect'],
    epoll_create1: library.func('int epoll_create1(int flags)') as Libc['epoll_create1'],
    epoll_ctl: library.func('int epoll_ctl(int epollFd, int operation, int fd, void *event)') as Libc['epoll_ctl'],
    epoll_wait: library.func('int epoll_wait(int epollFd, void *events, int count, int timeout)') as Libc['epoll_wait'],
    sendto: library.func(
      'int64_t sendto(int fd, void *source, uint64_t length, int flags, void *address, uint32_t size)',
    ) as Libc['sendto'],
    if_nametoindex: library.func('uint32_t if_nametoindex(const char *name)') as Libc['if_nametoindex'],
    recvmsg: library.func('recvmsg', 'int64_t', ['int', messageHeader, 'int']) as Libc['recvmsg'],
    prctl: library.func('int prctl(int option, uint64_t a, uint64_t b, uint64_t c, uint64_t d)') as Libc['prctl'],
    setsockopt: library.func(
      'int setsockopt(int fd, int level, int option, void *value, uint32_t length)',
    ) as Libc['setsockopt'],
    waitpid: library.func('int waitpid(int pid, void *status, int options)') as Libc['waitpid'],
    errno: () => koffi.errno(),
  };
}

/** What koffi makes of a C function, as far as it is called in another thread. */
interface AsyncFunction {
  // biome-ignore lint/suspicious/noExplicitAny: koffi checks arguments when it is called
  readonly async: (...values: any[]) => void;
}

/** `failure` is asked in the call's own turn, when koffi has the call's errno. */
function inThreadPool<Arguments extends readonly unknown[]>(
  { async: call }: AsyncFunction,
  failure: () => number,
): (...values: Arguments) => Promise<number> {
  return (...values) =>
    new Promise((resolve, reject) => {
      call(...values, (error: Error | null, result: number) =>
        error ? reject(error) : resolve(result === -1 ? failure() : result),
      );
    });
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
