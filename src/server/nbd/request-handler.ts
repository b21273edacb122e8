import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice, Extent, FileRange, MaybePromise } from '../../block/block-device.ts';
import { commandFlags, commands, nbdErrors } from '../../protocol/nbd/constants.ts';
import type { SelectedContext } from '../../protocol/nbd/negotiation.ts';
import { decodeStatusQuery } from '../../protocol/nbd/transmission-codec.ts';
import { type RequestRules, requestProblem } from './check-request.ts';
import { blockSizesOf, type NbdExport, type StatusSource, statusSource } from './nbd-export.ts';
import type { Pending, Replies } from './replies.ts';
import type { ReplyOutput } from './reply-output.ts';
import { deviceError } from './request-error.ts';
import { statusRuns } from './status-runs.ts';

/** Reads shorter than this are answered as data without asking where the holes are, in bytes. */
const holeLookupLength = 2 ** 15;
/** Reads shorter than this are copied, which is quicker than a second system call, in bytes. */
const shortestFileLength = 2 ** 16;
const lastByte = new Uint8Array(1);
/** A device is trusted to be done at once after so many reads; where it is not, an arena is lost to it. */
const trustedReads = 16;
/** A hole shorter than this is sent as zeros. */
const shortestHoleLength = 4096;
/** A read with more runs than this is answered as data. */
const maximumReadRuns = 64;
/** Zeros that have to take space are written in pieces of this length. */
const zeros = new Uint8Array(2 ** 20);

/** What a handler works on. */
export interface RequestHandlerOptions {
  readonly nbdExport: NbdExport;
  readonly contexts: readonly SelectedContext[];
  readonly output: ReplyOutput;
  readonly replies: Replies;
}

/**
 * Does what a client asks for, and answers. Where the device finishes at once, so does `handle`, and the reply stands in
 * the output; otherwise it gives a promise, which never fails. Hot: bench/nbd.ts watches it.
 */
export class RequestHandler {
  readonly #device: BlockDevice;
  readonly #rules: RequestRules;
  readonly #contexts: readonly ContextSource[];
  readonly #output: ReplyOutput;
  readonly #replies: Replies;
  /** Reads in a row that were done when they returned; after some, the next may go straight into the output. */
  #synchronousReads = trustedReads;

  constructor({ contexts, nbdExport, output, replies }: RequestHandlerOptions) {
    const { device } = nbdExport;
    this.#device = device;
    this.#output = output;
    this.#replies = replies;
    this.#contexts = contexts.flatMap(({ id, name }) => {
      const source = statusSource(nbdExport, name);
      return source === undefined ? [] : [{ id, source }];
    });
    this.#rules = {
      device,
      blockSizes: blockSizesOf(nbdExport),
      isStructured: replies.style !== 'simple',
      isExtended: replies.style === 'extended',
      hasContexts: this.#contexts.length > 0,
    };
  }

  /** `payload` belongs to the handler until the request is answered. */
  handle(request: Pending, payload: Uint8Array | undefined): MaybePromise<void> {
    if (payload !== undefined && request.command === commands.BLOCK_STATUS) return this.#query(request, payload);
    const problem = requestProblem(request, this.#rules);
    if (problem !== undefined) return this.#replies.fail(request, problem);
    try {
      if (request.command === commands.READ) return this.#read(request);
      if (request.command === commands.BLOCK_STATUS) return this.#status(request, this.#contexts);
      const pending = this.#change(request, payload);
      if (pending === undefined) return this.#replies.done(request);
      return pending.then(
        () => this.#replies.done(request),
        (error) => this.#replies.fail(request, deviceError(error, isFastZero(request))),
      );
    } catch (error) {
      this.#replies.fail(request, deviceError(error, isFastZero(request)));
    }
  }

  #change(request: Pending, payload: Uint8Array | undefined): MaybePromise<void> {
    const { command, flags, length, offset } = request;
    if (command === commands.FLUSH) return this.#device.flush();
    if (length === 0) return;
    if (command === commands.CACHE) return this.#cache(offset, length);
    const pending = this.#changeRange(command, flags, offset, length, payload);
    if ((flags & commandFlags.FUA) === 0) return pending;
    return pending === undefined ? this.#device.flush() : pending.then(() => this.#device.flush());
  }

  #changeRange(
    command: number,
    flags: number,
    offset: number,
    length: number,
    payload: Uint8Array | undefined,
  ): MaybePromise<void> {
    if (command === commands.WRITE) return this.#device.write(payload as Uint8Array, offset);
    if (command === commands.TRIM) return this.#device.supports.trim ? this.#device.trim(offset, length) : undefined;
    if (
      (flags & commandFlags.FAST_ZERO) !== 0 &&
      (!this.#device.supports.zero || (flags & commandFlags.NO_HOLE) !== 0)
    ) {
      throw new VarveError('UNSUPPORTED', 'zeroing would be no quicker than writing');
    }
    if ((flags & commandFlags.NO_HOLE) !== 0) return this.#writeZeros(offset, length);
    return this.#device.zero(offset, length);
  }

  async #writeZeros(offset: number, length: number): Promise<void> {
    for (let done = 0; done < length; done += zeros.length) {
      await this.#device.write(zeros.subarray(0, Math.min(zeros.length, length - done)), offset + done);
    }
  }

  /** Has the range read, so that whatever caches below has it. */
  async #cache(offset: number, length: number): Promise<void> {
    const buffer = new Uint8Array(Math.min(length, 2 ** 20));
    for (let done = 0; done < length; done += buffer.length) {
      await this.#device.read(buffer.subarray(0, Math.min(buffer.length, length - done)), offset + done);
    }
  }

  #read(request: Pending): MaybePromise<void> {
    const { flags, length, offset } = request;
    if (length === 0) return this.#readNothing(request);
    const mayHaveHoles = length >= holeLookupLength && this.#rules.isStructured && (flags & commandFlags.DF) === 0;
    if (mayHaveHoles && this.#device.supports.extents) {
      const extents = this.#device.extents(offset, length);
      if (!(Symbol.iterator in extents)) return this.#readRuns(request, asyncRuns(extents));
      const runs = syncRuns(extents);
      if (runs.length > 1 || runs[0]?.isData !== true) return this.#readRuns(request, runs);
    }
    const file = length >= shortestFileLength ? this.#device.fileRange?.(offset, length) : undefined;
    if (file !== undefined) return this.#readFromFile(request, file);
    const pending = this.#readData(request, offset, length, true);
    return pending?.catch((error) => this.#replies.fail(request, deviceError(error)));
  }

  #readNothing(request: Pending): void {
    const position = this.#output.reserve(this.#replies.dataHeadLength);
    this.#replies.encodeDataHead(this.#output.view, position, request, request.offset, 0, true);
  }

  /**
   * Has the kernel send the data from the page cache. It refers to the pages and copies them only when the client takes
   * them, so the client may see what was written after the reply had been sent. It has to reckon with that: a read is
   * under way until it is taken, and requests under way at once have no order. What must not happen is that the
   * bytes become those of another place of the disk, hence `fileRange` is for files whose bytes never move.
   */
  #readFromFile(request: Pending, { fd, offset: fileOffset }: FileRange): void {
    const { length, offset } = request;
    // A file that was cut short is found here as long as an error can be told.
    void this.#device.read(lastByte, offset + length - 1);
    const position = this.#output.reserve(this.#replies.dataHeadLength);
    this.#replies.encodeDataHead(this.#output.view, position, request, offset, length, true);
    try {
      this.#output.appendFile(fd, fileOffset, length);
    } catch {
      this.#output.abandon();
    }
  }

  /** Reads data and answers with it; fails as the device does, and then nothing of it is answered. */
  #readData(request: Pending, offset: number, length: number, isLast: boolean): MaybePromise<void> {
    return this.#synchronousReads >= trustedReads
      ? this.#readIntoOutput(request, offset, length, isLast)
      : this.#readApart(request, offset, length, isLast);
  }

  #readIntoOutput(request: Pending, offset: number, length: number, isLast: boolean): MaybePromise<void> {
    const { dataHeadLength } = this.#replies;
    const position = this.#output.reserve(dataHeadLength + length);
    const { bytes, view } = this.#output;
    const end = position + dataHeadLength + length;
    let pending: MaybePromise<void>;
    try {
      pending = this.#device.read(bytes.subarray(position + dataHeadLength, end), offset);
    } catch (error) {
      this.#output.giveBack(position);
      throw error;
    }
    this.#replies.encodeDataHead(view, position, request, offset, length, isLast);
    if (pending === undefined) return;
    this.#synchronousReads = 0;
    const reply = this.#output.takeOut(position).subarray(position, end);
    return pending.then(() => this.#output.append(reply));
  }

  #readApart(request: Pending, offset: number, length: number, isLast: boolean): MaybePromise<void> {
    const { dataHeadLength } = this.#replies;
    const reply = new Uint8Array(dataHeadLength + length);
    const pending = this.#device.read(reply.subarray(dataHeadLength), offset);
    this.#synchronousReads = pending === undefined ? this.#synchronousReads + 1 : 0;
    this.#replies.encodeDataHead(new DataView(reply.buffer), 0, request, offset, length, isLast);
    if (pending === undefined) return this.#output.append(reply);
    return pending.then(() => this.#output.append(reply));
  }

  /** A read whose holes cost nothing on the wire. */
  async #readRuns(request: Pending, runs: MaybePromise<readonly ReadRun[]>): Promise<void> {
    let position = request.offset;
    try {
      const end = request.offset + request.length;
      for (const { isData, length } of await runs) {
        const isLast = position + length === end;
        const pending = isData ? this.#readData(request, position, length, isLast) : undefined;
        if (pending !== undefined) await pending;
        if (!isData) this.#replies.hole(request, position, length, isLast);
        position += length;
      }
    } catch (error) {
      this.#replies.failAt(request, deviceError(error), position);
    }
  }

  /** A status of the contexts alone that a payload names. */
  #query(request: Pending, payload: Uint8Array): MaybePromise<void> {
    const query = decodeStatusQuery(payload);
    const wanted = new Set(query?.contextIds);
    const contexts = this.#contexts.filter(({ id }) => wanted.has(id));
    if (query === undefined || contexts.length === 0 || contexts.length !== query.contextIds.length) {
      return this.#replies.fail(request, {
        error: nbdErrors.EINVAL,
        message: 'that names no contexts of this connection',
      });
    }
    const asked = { ...request, flags: request.flags & ~commandFlags.PAYLOAD_LEN, length: query.length };
    const problem = requestProblem(asked, this.#rules);
    return problem === undefined ? this.#status(asked, contexts) : this.#replies.fail(request, problem);
  }

  async #status(request: Pending, contexts: readonly ContextSource[]): Promise<void> {
    const one = (request.flags & commandFlags.REQ_ONE) !== 0;
    try {
      const found = [];
      for (const { id, source } of contexts) found.push({ id, runs: await statusRuns(source, request, one) });
      for (const [index, { id, runs }] of found.entries()) {
        this.#replies.status(request, id, runs, index === found.length - 1);
      }
    } catch (error) {
      this.#replies.fail(request, deviceError(error));
    }
  }
}

function isFastZero({ command, flags }: Pending): boolean {
  return command === commands.WRITE_ZEROES && (flags & commandFlags.FAST_ZERO) !== 0;
}

/** A context that was negotiated. */
interface ContextSource {
  readonly id: number;
  readonly source: StatusSource;
}

/** A part of a read: data, or a hole that is worth a chunk of its own. */
interface ReadRun {
  readonly isData: boolean;
  length: number;
}

function syncRuns(extents: Iterable<Extent>): ReadRun[] {
  const runs: ReadRun[] = [];
  for (const extent of extents) addExtent(runs, extent);
  return runs;
}

async function asyncRuns(extents: AsyncIterable<Extent>): Promise<ReadRun[]> {
  const runs: ReadRun[] = [];
  for await (const extent of extents) addExtent(runs, extent);
  return runs;
}

function addExtent(runs: ReadRun[], { kind, length }: Extent): void {
  const isData = kind === 'data' || length < shortestHoleLength || runs.length >= maximumReadRuns;
  const last = runs.at(-1);
  if (last?.isData === isData) last.length += length;
  else runs.push({ isData, length });
}
