import { constants } from 'node:os';
import { errnoError, libc } from '../libc.ts';

/*
 * Source: poll(2): struct pollfd is  byte 0 int fd   4 short events   6 short revents; fuse(4).
 */
const pollfdLength = 8;
const POLLIN = 1;
/** Ends waits in the thread pool now and then: a process that ends waits for them. */
const waitMs = 500;

const { EAGAIN, EINTR, ENODEV, ENOENT } = constants.errno;

/**
 * An open /dev/fuse (`O_NONBLOCK`) over which the kernel sends requests. `receive` never waits: waiting is either short
 * and in this thread, which answers soonest, or in Node's thread pool, so that the event loop goes on.
 */
export class FuseChannel {
  readonly #fd: number;
  readonly #pollfd = new Uint8Array(pollfdLength);

  /** `fd` stays the caller's. */
  constructor(fd: number) {
    this.#fd = fd;
    const view = new DataView(this.#pollfd.buffer);
    view.setInt32(0, fd, true);
    view.setInt16(4, POLLIN, true);
  }

  /** The next request's length in bytes, 0 where none is there, undefined where the file system is mounted no more. */
  receive(target: Uint8Array): number | undefined {
    const { read, errno } = libc();
    for (;;) {
      const length = read(this.#fd, target, target.length);
      if (length > 0) return length;
      const number = length === 0 ? ENODEV : errno();
      if (number === EAGAIN) return 0;
      if (number === ENODEV) return undefined;
      // ENOENT: what was there was called off meanwhile.
      if (number !== EINTR && number !== ENOENT) throw errnoError('take a request from /dev/fuse', 'read', number);
    }
  }

  /** Sends an answer. Nobody may be waiting for it any more: that is no failure. */
  send(source: Uint8Array, length: number): void {
    const { errno, write } = libc();
    if (write(this.#fd, source, length) !== -1) return;
    const number = errno();
    if (number !== ENOENT && number !== ENODEV) throw errnoError('answer over /dev/fuse', 'write', number);
  }

  /** Whether something comes within `timeoutMs`; this thread does nothing else meanwhile. */
  waitBriefly(timeoutMs: number): boolean {
    return libc().poll(this.#pollfd, 1, timeoutMs) !== 0;
  }

  /** Returns when something may have come. */
  async wait(): Promise<void> {
    await libc().pollLater(this.#pollfd, 1, waitMs);
  }
}
