import fs from 'node:fs';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { duplicateDescriptor } from '../../linux/duplicate-descriptor.ts';
import { isLinux } from '../../linux/libc.ts';
import { enlargeSendBuffer } from '../../linux/send-buffer.ts';
import { sendFile } from '../../linux/send-file.ts';
import { BusyPoll } from './busy-poll.ts';
import type { Wire, WireReceiver } from './wire.ts';

/** So that several long replies, in bytes, are on their way at once. */
const sendBufferLength = 2 ** 20;
/** So long a client may take nothing of what is left when the connection is over, in milliseconds. */
const lingerMs = 10_000;

/** One for all connections, as they share the event loop. */
const busyPoll = new BusyPoll();

/**
 * A wire over a socket without TLS that goes past its stream: bytes are read into the receiver's space, and not into a
 * new buffer each time, and what the socket takes at once is written by a system call. Hot: bench/nbd.ts watches it.
 */
export class SocketWire implements Wire {
  readonly early: Uint8Array;
  readonly #fd: number;
  /** The socket as it was. */
  readonly #former: net.Socket;
  #socket: net.Socket | undefined;
  #receiver: WireReceiver | undefined;

  private constructor(fd: number, former: net.Socket, early: Uint8Array) {
    this.early = early;
    this.#fd = fd;
    this.#former = former;
  }

  /**
   * Takes over a socket that is paused, and closes its stream, which still tells of timeouts; `received` was read from
   * it. Gives `undefined` where it cannot be taken over, and is to be used as the stream that it is.
   */
  static takeOver(stream: Duplex, received: Uint8Array): SocketWire | undefined {
    if (!isPlainSocket(stream) || stream.writableLength > 0) return undefined;
    const fd = descriptorOf(stream);
    if (fd === undefined) return undefined;
    // The connection stays open by its second descriptor when the stream closes the first.
    const own = duplicateOf(fd);
    if (own === undefined) return undefined;
    enlargeSendBuffer(own, sendBufferLength);
    const buffered: Uint8Array | null = stream.read();
    stream.destroy();
    return new SocketWire(own, stream, buffered === null ? received : Buffer.concat([received, buffered]));
  }

  open(receiver: WireReceiver): void {
    const onread: net.OnReadOpts = {
      buffer: () => receiver.space(),
      callback(length) {
        busyPoll.begin();
        receiver.received(length);
        busyPoll.end();
        return true;
      },
    };
    const socket = new net.Socket({ fd: this.#fd, onread });
    // A client that goes away in the middle of something is nothing to speak of.
    for (const event of ['end', 'close', 'error']) socket.on(event, () => receiver.ended());
    const { timeout } = this.#former;
    if (timeout !== undefined) {
      socket.setTimeout(timeout).on('timeout', () => {
        this.#former.emit('timeout');
        // Told again, where that was in the middle of a long request: what is sent past the stream is not seen here.
        if (!socket.destroyed) socket.setTimeout(timeout);
      });
    }
    this.#socket = socket;
    this.#receiver = receiver;
    socket.resume();
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  sendNow(bytes: Uint8Array): number {
    if (!this.#canSendNow()) return 0;
    try {
      return fs.writeSync(this.#fd, bytes);
    } catch {
      // It takes nothing now, or never again: `send` waits, or finds out.
      return 0;
    }
  }

  sendFileNow(fd: number, offset: number, length: number): number {
    return this.#canSendNow() ? sendFile(this.#fd, fd, offset, length) : 0;
  }

  send(bytes: Uint8Array, done: () => void): void {
    this.#socket?.write(bytes, (error) => {
      // Told at once: what waits would be done for nobody before the socket says that it is closed.
      if (error != null) this.#receiver?.ended();
      done();
    });
  }

  end(): void {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return;
    // Whoever never takes what is left does not keep the connection, nor the process.
    socket.setTimeout(lingerMs).on('timeout', () => socket.destroy());
    socket.unref();
    socket.destroySoon();
  }

  destroy(): void {
    this.#socket?.destroy();
  }

  #canSendNow(): boolean {
    const socket = this.#socket;
    // Once it is destroyed its descriptor may be that of another file.
    return socket !== undefined && !socket.destroyed && !socket.writableEnded && socket.writableLength === 0;
  }
}

/** Neither TLS nor anything else that has a way of its own to read and write. */
function isPlainSocket(stream: Duplex): stream is net.Socket {
  return isLinux && Object.getPrototypeOf(stream) === net.Socket.prototype;
}

/** Node shows it in a field without documentation only; should that go, streams are used instead. */
function descriptorOf(socket: net.Socket): number | undefined {
  const fd = (socket as { _handle?: { fd?: unknown } })._handle?.fd;
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}

/** `undefined` where system calls cannot be made: in a process that may not load what makes them, say. */
function duplicateOf(fd: number): number | undefined {
  try {
    return duplicateDescriptor(fd);
  } catch {
    return undefined;
  }
}
