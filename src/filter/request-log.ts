import { isVarveError } from '../base/varve-error.ts';
import type { BlockDevice, Extent, MaybePromise } from '../block/block-device.ts';
import type { DeviceOperation } from './device-operation.ts';
import { ForwardingDevice } from './forwarding-device.ts';

/** A request that was answered. */
export interface LoggedRequest {
  readonly operation: DeviceOperation;
  /** In bytes; 0 of a flush. */
  readonly offset: number;
  readonly length: number;
  /** When it was made, in milliseconds since 1970. */
  readonly time: number;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
  /** How many runs `extents` gave. */
  readonly runCount?: number;
  /** The code of a failure, and its message; left out where there was none. */
  readonly failure?: { readonly code: string; readonly message: string };
}

/** Tells of every request to a device once it is answered. `tell` must not throw. */
export function requestLogFilter(device: BlockDevice, tell: (request: LoggedRequest) => void): BlockDevice {
  return new LoggingDevice(device, tell);
}

class LoggingDevice extends ForwardingDevice {
  readonly #tell: (request: LoggedRequest) => void;

  constructor(device: BlockDevice, tell: (request: LoggedRequest) => void) {
    super(device);
    this.#tell = tell;
  }

  override read(target: Uint8Array, offset: number): MaybePromise<void> {
    return this.#follow('read', offset, target.length, () => this.device.read(target, offset));
  }

  override write(source: Uint8Array, offset: number): MaybePromise<void> {
    return this.#follow('write', offset, source.length, () => this.device.write(source, offset));
  }

  override zero(offset: number, length: number): MaybePromise<void> {
    return this.#follow('zero', offset, length, () => this.device.zero(offset, length));
  }

  override trim(offset: number, length: number): MaybePromise<void> {
    return this.#follow('trim', offset, length, () => this.device.trim(offset, length));
  }

  override flush(): MaybePromise<void> {
    return this.#follow('flush', 0, 0, () => this.device.flush());
  }

  /** Told of when the list has ended, or whoever reads it wants no more. */
  override extents(offset: number, length: number): Iterable<Extent> | AsyncIterable<Extent> {
    const end = this.#start('extents', offset, length);
    try {
      const extents = this.device.extents(offset, length);
      return Symbol.iterator in extents ? counted(extents, end) : countedLate(extents, end);
    } catch (error) {
      end(error);
      throw error;
    }
  }

  #follow(
    operation: DeviceOperation,
    offset: number,
    length: number,
    request: () => MaybePromise<void>,
  ): MaybePromise<void> {
    const end = this.#start(operation, offset, length);
    try {
      const pending = request();
      if (pending !== undefined) return finish(pending, end);
    } catch (error) {
      end(error);
      throw error;
    }
    end();
  }

  #start(operation: DeviceOperation, offset: number, length: number): End {
    const time = Date.now();
    const start = performance.now();
    return (error, runCount) => {
      const durationMs = performance.now() - start;
      const runs = runCount === undefined ? {} : { runCount };
      const failure = error === undefined ? {} : { failure: failureOf(error) };
      this.#tell({ operation, offset, length, time, durationMs, ...runs, ...failure });
    };
  }
}

/** What is called when a request is answered. */
type End = (error?: unknown, runCount?: number) => void;

async function finish(pending: Promise<void>, end: End): Promise<void> {
  try {
    await pending;
  } catch (error) {
    end(error);
    throw error;
  }
  end();
}

function* counted(extents: Iterable<Extent>, end: End): Generator<Extent, undefined> {
  let count = 0;
  let failure: unknown;
  try {
    for (const extent of extents) {
      count += 1;
      yield extent;
    }
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    end(failure, count);
  }
}

async function* countedLate(extents: AsyncIterable<Extent>, end: End): AsyncGenerator<Extent, undefined> {
  let count = 0;
  let failure: unknown;
  try {
    for await (const extent of extents) {
      count += 1;
      yield extent;
    }
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    end(failure, count);
  }
}

function failureOf(error: unknown): NonNullable<LoggedRequest['failure']> {
  const code = isVarveError(error) ? error.code : 'unexpected';
  return { code, message: error instanceof Error ? error.message : String(error) };
}
