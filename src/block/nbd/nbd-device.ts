import { isVarveError, VarveError } from '../../base/varve-error.ts';
import { allocationFlags, commands, transmissionFlags } from '../../protocol/nbd/constants.ts';
import type { BlockDevice, DeviceSupport, Extent } from '../block-device.ts';
import { describeNbdAddress, type NbdAddress } from './nbd-address.ts';
import { type ClientRequest, NbdClient } from './nbd-client.ts';

/** How a disk of an NBD server is opened. */
export interface NbdDeviceOptions {
  readonly readOnly?: boolean;
  /** Connections that requests are spread over, where the server lets a flush on one cover the others; 1 where nothing is given. */
  readonly connections?: number;
  /** How often a request is tried on a new connection after its own broke; 3 where nothing is given. */
  readonly retries?: number;
}

/** Trims and zeroes go out in pieces of this length, in bytes: 32 bits have to hold it. */
const longestRange = 2 ** 30;

/**
 * The disk that an NBD server exports. A connection that breaks is made again, and what was not answered is asked again;
 * what was written since the last flush, a server that was started again may have lost.
 *
 * @throws VarveError `NOT_FOUND`, `PERMISSION`, `UNSUPPORTED`, `CORRUPT`, `IO`
 */
export async function openNbdDevice(address: NbdAddress, options: NbdDeviceOptions = {}): Promise<BlockDevice> {
  const { connections = 1, readOnly = false, retries = 3 } = options;
  const first = await connect(address);
  const isShared = (first.agreement.flags & transmissionFlags.CAN_MULTI_CONN) !== 0;
  return new NbdDevice({ address, first, count: isShared ? connections : 1, readOnly, retries });
}

async function connect(address: NbdAddress): Promise<NbdClient> {
  return await NbdClient.connect(address, { contexts: ['base:allocation'] });
}

interface Parts {
  readonly address: NbdAddress;
  readonly first: NbdClient;
  readonly count: number;
  readonly readOnly: boolean;
  readonly retries: number;
}

class NbdDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly #address: NbdAddress;
  readonly #clients: Promise<NbdClient>[];
  readonly #flags: number;
  readonly #retries: number;
  readonly #maximumLength: number;
  readonly #contextId: number | undefined;
  #next = 0;

  constructor({ address, count, first, readOnly, retries }: Parts) {
    const { blockSizes, contexts, flags, size } = first.agreement;
    const has = (flag: number): boolean => (flags & flag) !== 0;
    const write = !readOnly && !has(transmissionFlags.READ_ONLY);
    this.size = size;
    this.blockSize = blockSizes.preferred;
    this.#address = address;
    this.#flags = flags;
    this.#retries = retries;
    this.#maximumLength = blockSizes.maximum;
    this.#contextId = contexts.get('base:allocation');
    this.supports = {
      write,
      trim: write && has(transmissionFlags.SEND_TRIM),
      zero: write && has(transmissionFlags.SEND_WRITE_ZEROES),
      extents: this.#contextId !== undefined,
    };
    this.#clients = [Promise.resolve(first)];
    while (this.#clients.length < count) this.#clients.push(this.#connect());
  }

  async read(target: Uint8Array, offset: number): Promise<void> {
    await this.#inPieces(offset, target.length, this.#maximumLength, (start, length) => {
      const part = target.subarray(start - offset, start - offset + length);
      return this.#request({ command: commands.READ, flags: 0, offset: start, length }, { target: part });
    });
  }

  async write(source: Uint8Array, offset: number): Promise<void> {
    await this.#inPieces(offset, source.length, this.#maximumLength, (start, length) => {
      const payload = source.subarray(start - offset, start - offset + length);
      return this.#request({ command: commands.WRITE, flags: 0, offset: start, length, payload });
    });
  }

  async zero(offset: number, length: number): Promise<void> {
    if (this.supports.zero) return await this.#range(commands.WRITE_ZEROES, offset, length);
    const zeros = new Uint8Array(Math.min(length, this.#maximumLength));
    for (let done = 0; done < length; done += zeros.length) {
      await this.write(zeros.subarray(0, Math.min(zeros.length, length - done)), offset + done);
    }
  }

  async trim(offset: number, length: number): Promise<void> {
    if (this.supports.trim) await this.#range(commands.TRIM, offset, length);
  }

  async flush(): Promise<void> {
    if ((this.#flags & transmissionFlags.SEND_FLUSH) === 0) return;
    await this.#request({ command: commands.FLUSH, flags: 0, offset: 0, length: 0 });
  }

  async *extents(offset: number, length: number): AsyncGenerator<Extent, undefined> {
    const end = offset + length;
    for (let position = offset; position < end; ) {
      const runs = await this.#status(position, Math.min(end - position, longestRange));
      for (const run of runs) {
        const runLength = Math.min(run.length, end - position);
        if (runLength <= 0) break;
        yield { offset: position, length: runLength, kind: kindOf(run.flags) };
        position += runLength;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connecting of this.#clients.splice(0)) (await connecting.catch(() => undefined))?.close();
  }

  /** At least one run, whatever the server says. */
  async #status(offset: number, length: number): Promise<readonly { length: number; flags: number }[]> {
    const nothingKnown = [{ length, flags: 0 }];
    if (this.#contextId === undefined) return nothingKnown;
    let found: readonly { length: number; flags: number }[] = [];
    await this.#request(
      { command: commands.BLOCK_STATUS, flags: 0, offset, length },
      {
        onStatus: (id, runs) => {
          if (id === this.#contextId) found = runs;
        },
      },
    );
    const usable = found.filter((run) => run.length > 0);
    return usable.length === 0 ? nothingKnown : usable;
  }

  async #range(command: number, offset: number, length: number): Promise<void> {
    await this.#inPieces(offset, length, longestRange, (start, part) =>
      this.#request({ command, flags: 0, offset: start, length: part }),
    );
  }

  async #inPieces(
    offset: number,
    length: number,
    pieceLength: number,
    run: (offset: number, length: number) => Promise<void>,
  ): Promise<void> {
    if (length <= pieceLength) return await run(offset, length);
    for (let done = 0; done < length; done += pieceLength) {
      await run(offset + done, Math.min(pieceLength, length - done));
    }
  }

  async #request(request: ClientRequest, reply: Parameters<NbdClient['request']>[1] = {}): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      const index = this.#next;
      this.#next = (this.#next + 1) % this.#clients.length;
      const connecting = this.#clients[index] as Promise<NbdClient>;
      let client: NbdClient | undefined;
      try {
        client = await connecting;
        return await client.request(request, reply);
      } catch (error) {
        const isLost = client === undefined ? isVarveError(error, 'IO', 'NOT_FOUND') : !client.isOpen;
        if (!isLost || attempt >= this.#retries || this.#clients.length === 0) throw error;
        if (this.#clients[index] === connecting) this.#clients[index] = this.#connectAgain(attempt);
      }
    }
  }

  #connect(): Promise<NbdClient> {
    const connecting = this.#connectToSame();
    // Whoever uses it sees the failure.
    connecting.catch(() => undefined);
    return connecting;
  }

  async #connectToSame(): Promise<NbdClient> {
    const client = await connect(this.#address);
    const { size } = client.agreement;
    if (size === this.size) return client;
    client.close();
    const sizes = `it has ${size} bytes now, and had ${this.size}`;
    throw new VarveError('CONFLICT', `${describeNbdAddress(this.#address)} is another disk than before: ${sizes}`);
  }

  #connectAgain(attempt: number): Promise<NbdClient> {
    const connecting = new Promise((resolve) => setTimeout(resolve, 100 * 4 ** attempt)).then(() =>
      this.#connectToSame(),
    );
    connecting.catch(() => undefined);
    return connecting;
  }
}

function kindOf(flags: number): Extent['kind'] {
  if ((flags & allocationFlags.ZERO) === 0) return 'data';
  return (flags & allocationFlags.HOLE) === 0 ? 'zero' : 'hole';
}
