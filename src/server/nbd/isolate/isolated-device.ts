import type { BlockDevice, DeviceSupport, Extent } from '../../../block/block-device.ts';
import type { ClientAgreement } from '../../../protocol/nbd/client-negotiation.ts';
import { allocationFlags, commands, transmissionFlags } from '../../../protocol/nbd/constants.ts';
import type { StatusRun } from '../../../protocol/nbd/transmission-codec.ts';
import type { StatusSource } from '../nbd-export.ts';
import type { IsolatedDriver } from './isolated-driver.ts';

/** Longer ranges go out in pieces of this length, in bytes: 32 bits have to hold it. */
const longestRange = 2 ** 30;

/** A disk as the driver in another process has it. The driver stays the caller's. */
export class IsolatedDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly #driver: IsolatedDriver;
  readonly #allocation: StatusSource;

  constructor(driver: IsolatedDriver, { blockSizes, flags, size }: ClientAgreement) {
    const write = (flags & transmissionFlags.READ_ONLY) === 0;
    this.size = size;
    this.blockSize = blockSizes.preferred;
    this.supports = {
      write,
      trim: write,
      zero: write && (flags & transmissionFlags.SEND_FAST_ZERO) !== 0,
      extents: true,
    };
    this.#driver = driver;
    this.#allocation = isolatedSource(driver, 'base:allocation');
  }

  async read(target: Uint8Array, offset: number): Promise<void> {
    await this.#driver.request({ command: commands.READ, flags: 0, offset, length: target.length }, () => ({ target }));
  }

  async write(source: Uint8Array, offset: number): Promise<void> {
    const request = { command: commands.WRITE, flags: 0, offset, length: source.length, payload: source };
    await this.#driver.request(request);
  }

  async zero(offset: number, length: number): Promise<void> {
    await this.#range(commands.WRITE_ZEROES, offset, length);
  }

  async trim(offset: number, length: number): Promise<void> {
    await this.#range(commands.TRIM, offset, length);
  }

  async flush(): Promise<void> {
    await this.#driver.request({ command: commands.FLUSH, flags: 0, offset: 0, length: 0 });
  }

  async *extents(offset: number, length: number): AsyncGenerator<Extent, undefined> {
    let position = offset;
    for await (const run of this.#allocation(offset, length)) {
      yield { offset: position, length: run.length, kind: kindOf(run.flags) };
      position += run.length;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #range(command: number, offset: number, length: number): Promise<void> {
    for (let done = 0; done < length; done += longestRange) {
      const part = Math.min(longestRange, length - done);
      await this.#driver.request({ command, flags: 0, offset: offset + done, length: part });
    }
  }
}

/** What a driver tells of a context. */
export function isolatedSource(driver: IsolatedDriver, name: string): StatusSource {
  return async function* runs(offset, length): AsyncGenerator<StatusRun, undefined> {
    const end = offset + length;
    for (let position = offset; position < end; ) {
      let found: readonly StatusRun[] = [];
      const asked = Math.min(end - position, longestRange);
      await driver.request(
        { command: commands.BLOCK_STATUS, flags: 0, offset: position, length: asked },
        ({ client }) => ({
          onStatus: (id, each) => {
            if (id === client.agreement.contexts.get(name)) found = each;
          },
        }),
      );
      for (const run of found) {
        const runLength = Math.min(run.length, end - position);
        if (runLength > 0) yield { length: runLength, flags: run.flags };
        position += runLength;
      }
      // Of what it does not tell nothing is known.
      if (found.length === 0) {
        yield { length: asked, flags: 0 };
        position += asked;
      }
    }
  };
}

function kindOf(flags: number): Extent['kind'] {
  if ((flags & allocationFlags.ZERO) === 0) return 'data';
  return (flags & allocationFlags.HOLE) === 0 ? 'zero' : 'hole';
}
