import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { openConnectedUdpSocket, type UdpAddress } from '../../linux/connected-udp-socket.ts';
import { Epoll } from '../../linux/epoll.ts';
import { libc } from '../../linux/libc.ts';
import type { TransferTerms } from '../../protocol/tftp/negotiate-options.ts';
import { memoryFile } from '../files/memory-file.ts';
import { Transfer, type TransferEnd, type TransferSocket } from './transfer.ts';

/** What the thread is asked: to send a file, to stop that, with or without a word to the client, or to end. */
export type LoopRequest =
  | {
      readonly kind: 'start';
      readonly id: number;
      readonly content: SharedArrayBuffer;
      readonly terms: TransferTerms;
      readonly local: string;
      readonly remote: UdpAddress;
    }
  | { readonly kind: 'stop'; readonly id: number; readonly reason: string | undefined }
  /** To end, when all transfers are stopped. */
  | { readonly kind: 'quit' };

/** What it tells of a transfer that is over. */
export interface LoopAnswer {
  readonly id: number;
  readonly end: TransferEnd;
}

/** How the threads know of each other while this one waits for packets. */
export interface Doorbell {
  /** By the number of a transfer, modulo the length: becomes 1 when the client has got something of the file. */
  readonly progress: Int32Array;
  /** Has a byte to read where there are new messages. */
  readonly fd: number;
  /** One number, that is 1 from when that byte was written until it was read. */
  readonly isRung: Int32Array;
}

interface Running {
  readonly id: number;
  readonly transfer: Transfer;
}

const sweepMs = 200;
const longestPacket = 2 ** 16;

/**
 * Sends files of memory with a thread for itself: while there are transfers it waits for packets and for nothing else, which
 * costs a fraction of what a packet costs in Node's event loop. Hot: bench/netboot.ts.
 */
export class TransferLoop {
  readonly #port: MessagePort;
  readonly #doorbell: Doorbell;
  readonly #epoll = new Epoll();
  readonly #libc = libc();
  /** By descriptor, and the descriptors by the number that the other side gave. */
  readonly #running = new Map<number, Running>();
  readonly #fds = new Map<number, number>();
  readonly #packet = new Uint8Array(longestPacket);
  #nextSweepMs = 0;

  constructor(port: MessagePort, doorbell: Doorbell) {
    this.#port = port;
    this.#doorbell = doorbell;
    this.#epoll.add(doorbell.fd);
  }

  /** Does as it is asked, and returns when no transfer is left. */
  run(first: LoopRequest): void {
    this.#handle(first);
    while (this.#running.size > 0) {
      const count = this.#epoll.wait(sweepMs);
      for (let index = 0; index < count; index += 1) this.#hear(this.#epoll.ready(index));
      this.#sweep();
    }
  }

  #hear(fd: number): void {
    if (fd === this.#doorbell.fd) {
      this.#answerDoor();
      return;
    }
    const { progress } = this.#doorbell;
    const running = this.#running.get(fd);
    if (running === undefined) return;
    const length = this.#libc.read(fd, this.#packet, longestPacket);
    if (length >= 0) {
      running.transfer.received(this.#packet.subarray(0, length));
      if (running.transfer.hasProgress) progress[running.id % progress.length] = 1;
    } else if (this.#libc.errno() === constants.errno.ECONNREFUSED) running.transfer.refused('ECONNREFUSED');
  }

  #answerDoor(): void {
    this.#libc.read(this.#doorbell.fd, this.#packet, 1);
    Atomics.store(this.#doorbell.isRung, 0, 0);
    for (;;) {
      const received = receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      this.#handle(received.message as LoopRequest);
    }
  }

  #handle(request: LoopRequest): void {
    if (request.kind === 'start') {
      this.#start(request);
      return;
    }
    if (request.kind === 'quit') {
      this.#epoll[Symbol.dispose]();
      this.#port.close();
      return;
    }
    const transfer = this.#running.get(this.#fds.get(request.id) ?? -1)?.transfer;
    if (request.reason === undefined) transfer?.abandon();
    else transfer?.abort(request.reason);
  }

  #start({ content, id, local, remote, terms }: LoopRequest & { kind: 'start' }): void {
    let fd: number;
    try {
      fd = openConnectedUdpSocket(local, remote);
      this.#epoll.add(fd);
    } catch (error) {
      this.#port.postMessage({ id, end: (error as Error).message } satisfies LoopAnswer);
      return;
    }
    const end = (reason: TransferEnd): void => {
      this.#running.delete(fd);
      this.#fds.delete(id);
      void transfer.close();
      this.#port.postMessage({ id, end: reason } satisfies LoopAnswer);
    };
    const transfer = new Transfer(memoryFile(new Uint8Array(content)), terms, this.#socketOf(fd), end);
    this.#running.set(fd, { id, transfer });
    this.#fds.set(id, fd);
    transfer.start();
  }

  #socketOf(fd: number): TransferSocket {
    const { write } = this.#libc;
    return {
      // A packet that the system does not take counts as one that was lost.
      send: (packet) => void write(fd, packet, packet.length),
      close: () => closeSync(fd),
    };
  }

  #sweep(): void {
    const now = performance.now();
    if (now < this.#nextSweepMs) return;
    this.#nextSweepMs = now + sweepMs;
    for (const { transfer } of [...this.#running.values()]) transfer.expire(now);
  }
}
