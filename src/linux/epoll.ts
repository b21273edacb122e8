import { closeSync } from 'node:fs';
import { errnoError, libc } from './libc.ts';

/* Source: epoll_ctl(2); struct epoll_event: uint32 events, uint64 data, without a gap between them on x86-64 alone. */
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
const dataOffset = process.arch === 'x64' ? 4 : 8;
const eventLength = dataOffset + 8;
const mostEvents = 64;

/** Waits for descriptors to have something to read, without Node's event loop: for threads that do nothing else. */
export class Epoll implements Disposable {
  readonly #fd: number;
  readonly #event = new DataView(new ArrayBuffer(eventLength));
  readonly #eventBytes = new Uint8Array(this.#event.buffer);
  readonly #events = new DataView(new ArrayBuffer(eventLength * mostEvents));
  readonly #eventsBytes = new Uint8Array(this.#events.buffer);
  readonly #libc = libc();

  /** @throws VarveError `IO` without a descriptor, `UNSUPPORTED` */
  constructor() {
    this.#fd = this.#libc.epoll_create1(EPOLL_CLOEXEC);
    if (this.#fd === -1) throw errnoError('wait for packets', 'epoll_create1', this.#libc.errno());
  }

  /** Waits for `fd` as well, until it is closed. @throws VarveError `IO` */
  add(fd: number): void {
    this.#event.setUint32(0, EPOLLIN, true);
    this.#event.setInt32(dataOffset, fd, true);
    if (this.#libc.epoll_ctl(this.#fd, EPOLL_CTL_ADD, fd, this.#eventBytes) === 0) return;
    throw errnoError('wait for packets', 'epoll_ctl', this.#libc.errno());
  }

  /** Holds up the thread until there is something to read, or for `timeoutMs`. @returns how many descriptors have some */
  wait(timeoutMs: number): number {
    return Math.max(0, this.#libc.epoll_wait(this.#fd, this.#eventsBytes, mostEvents, timeoutMs));
  }

  /** One of the descriptors of the last `wait`. */
  ready(index: number): number {
    return this.#events.getInt32(index * eventLength + dataOffset, true);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
