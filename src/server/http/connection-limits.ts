import type { Socket } from 'node:net';

/** How many connections there may be. */
export interface ConnectionLimits {
  /** In all; 1,024 where nothing is given. */
  readonly maximumConnections?: number | undefined;
  /** Of one address; 128. */
  readonly maximumConnectionsPerClient?: number | undefined;
}

/**
 * Counts connections. Somewhat more than the limit are let in, to be told to come again later, which iPXE does; the
 * others are closed at once.
 */
export class ConnectionCount {
  readonly #maximum: number;
  readonly #maximumPerClient: number;
  readonly #countByAddress = new Map<string, number>();
  #count = 0;

  constructor({ maximumConnections = 1024, maximumConnectionsPerClient = 128 }: ConnectionLimits) {
    this.#maximum = maximumConnections;
    this.#maximumPerClient = maximumConnectionsPerClient;
  }

  get count(): number {
    return this.#count;
  }

  /** Counts a connection until it is closed. @returns whether it is served, told to come later, or closed by now */
  admit(socket: Socket): 'served' | 'later' | 'closed' {
    const address = socket.remoteAddress;
    const ofClient = this.#countByAddress.get(address ?? '') ?? 0;
    if (address === undefined || isFarOver(this.#count, this.#maximum) || isFarOver(ofClient, this.#maximumPerClient)) {
      socket.destroy();
      return 'closed';
    }
    this.#count += 1;
    this.#countByAddress.set(address, ofClient + 1);
    socket.once('close', () => this.#leave(address));
    return this.#count > this.#maximum || ofClient >= this.#maximumPerClient ? 'later' : 'served';
  }

  #leave(address: string): void {
    this.#count -= 1;
    const left = this.#countByAddress.get(address)! - 1;
    if (left > 0) this.#countByAddress.set(address, left);
    else this.#countByAddress.delete(address);
  }
}

function isFarOver(count: number, maximum: number): boolean {
  return count >= maximum + Math.max(8, maximum >> 2);
}
