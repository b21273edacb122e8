import dgram from 'node:dgram';
import { once } from 'node:events';
import type { Transfer, TransferSocket } from './transfer.ts';

/** Whoever sends from here on is sent to by its address, which needs no look-up. */
const lookup = (host: string, _options: unknown, done: (error: null, address: string, family: number) => void): void =>
  done(null, host, host.includes(':') ? 6 : 4);

/** Node's own socket for a transfer: takes packets of one client alone. */
export class DatagramSocket implements TransferSocket {
  readonly #socket: dgram.Socket;

  constructor(address: string) {
    this.#socket = dgram.createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', lookup: lookup as never });
  }

  /** @param local the address to send from @throws Error of the system, when there is no port or descriptor left */
  async connect(transfer: Transfer, local: string, address: string, port: number): Promise<void> {
    this.#socket.on('message', (bytes) => transfer.received(bytes));
    const isListening = once(this.#socket, 'listening');
    this.#socket.bind(0, local);
    await isListening;
    const isConnected = once(this.#socket, 'connect');
    this.#socket.connect(port, address);
    await isConnected;
    this.#socket.on('error', ({ code }: NodeJS.ErrnoException) => transfer.refused(code));
  }

  send(packet: Uint8Array): void {
    // A packet that the system does not take counts as one that was lost.
    this.#socket.send(Uint8Array.from(packet), () => {});
  }

  close(): void {
    this.#socket.removeAllListeners('error').on('error', () => {});
    this.#socket.close();
  }
}
