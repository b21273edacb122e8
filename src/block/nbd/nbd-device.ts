import { isVarveError, type VarveError } from '../../base/varve-error.ts';
import { alignDown } from '../../bytes/align.ts';
import { allocationFlags, commands, transmissionFlags } from '../../protocol/nbd/constants.ts';
import { alignedDevice } from '../aligned-device.ts';
import type { BlockDevice, DeviceSupport, Extent } from '../block-device.ts';
import type { NbdAddress } from './nbd-address.ts';
import { allocationContext, NbdConnections, type NbdConnectionsOptions, type ReplyMaker } from './nbd-connections.ts';

/** How a disk of an NBD server is opened. */
export interface NbdDeviceOptions extends NbdConnectionsOptions {
  readonly readOnly?: boolean | undefined;
}

/** A run as a server tells of it. */
interface StatusRun {
  readonly length: number;
  readonly flags: number;
}

/** Trims and zeroes go out in pieces of this length, in bytes: 32 bits have to hold it. */
const longestRange = 2 ** 30;

/**
 * The disk that an NBD server exports. A connection that breaks is made again, to an export that has to be the same as
 * before, and what was not answered is sent again. What a broken connection had acknowledged, and no flush had covered,
 * the server may have lost: the next flush fails for that (`LostWritesError`), once, so that nobody takes for durable what
 * may be gone; whoever writes all of it again may flush again. Requests are cut, and made of whole blocks, as the server
 * wants them; up to 64 are under way on each connection.
 *
 * @throws VarveError `NOT_FOUND`, `PERMISSION`, `UNSUPPORTED`, `CORRUPT`, `IO`; requests also `CONFLICT` where the server
 *   has come back with another disk
 */
export async function openNbdDevice(address: NbdAddress, options: NbdDeviceOptions = {}): Promise<BlockDevice> {
  const connections = await NbdConnections.open(address, options);
  const device = new NbdDevice(connections, options.readOnly ?? false);
  const { minimum } = connections.agreement.blockSizes;
  return minimum === 1 ? device : alignedDevice(device, minimum);
}

class NbdDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly #connections: NbdConnections;
  readonly #maximumLength: number;

  constructor(connections: NbdConnections, readOnly: boolean) {
    const { blockSizes, contexts, flags, size } = connections.agreement;
    const has = (flag: number): boolean => (flags & flag) !== 0;
    const write = !readOnly && !has(transmissionFlags.READ_ONLY);
    this.size = size;
    this.blockSize = blockSizes.preferred;
    this.#connections = connections;
    this.#maximumLength = alignDown(blockSizes.maximum, blockSizes.minimum);
    this.supports = {
      write,
      trim: write && has(transmissionFlags.SEND_TRIM),
      zero: write && has(transmissionFlags.SEND_WRITE_ZEROES),
      extents: contexts.has(allocationContext),
    };
  }

  async read(target: Uint8Array, offset: number): Promise<void> {
    await this.#inPieces(offset, target.length, this.#maximumLength, (start, length) => {
      const part = target.subarray(start - offset, start - offset + length);
      const request = { command: commands.READ, flags: 0, offset: start, length };
      return this.#connections.request(request, () => ({ target: part }));
    });
  }

  async write(source: Uint8Array, offset: number): Promise<void> {
    await this.#inPieces(offset, source.length, this.#maximumLength, (start, length) => {
      const payload = source.subarray(start - offset, start - offset + length);
      return this.#connections.request({ command: commands.WRITE, flags: 0, offset: start, length, payload });
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
    if (this.supports.write) await this.#connections.flush();
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
    this.#connections.close();
  }

  /** At least one run, whatever the server says. */
  async #status(offset: number, length: number): Promise<readonly StatusRun[]> {
    const nothingKnown = [{ length, flags: 0 }];
    if (!this.supports.extents) return nothingKnown;
    let found: readonly StatusRun[] = [];
    const replyFor: ReplyMaker = ({ contexts }) => ({
      onStatus: (id, runs) => {
        if (id === contexts.get(allocationContext)) found = runs;
      },
    });
    const request = { command: commands.BLOCK_STATUS, flags: 0, offset, length };
    await this.#connections.request(request, replyFor).catch((error: VarveError) => {
      if (!isVarveError(error, 'UNSUPPORTED')) throw error;
    });
    const usable = found.filter((run) => run.length > 0);
    return usable.length === 0 ? nothingKnown : usable;
  }

  async #range(command: number, offset: number, length: number): Promise<void> {
    await this.#inPieces(offset, length, longestRange, (start, part) =>
      this.#connections.request({ command, flags: 0, offset: start, length: part }),
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
}

function kindOf(flags: number): Extent['kind'] {
  if ((flags & allocationFlags.ZERO) === 0) return 'data';
  return (flags & allocationFlags.HOLE) === 0 ? 'zero' : 'hole';
}
