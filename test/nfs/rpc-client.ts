import net from 'node:net';
import { RecordMarks } from '../../src/protocol/rpc/record-marks.ts';
import { XdrReader } from '../../src/protocol/rpc/xdr-reader.ts';
import { opaqueLength, XdrWriter } from '../../src/protocol/rpc/xdr-writer.ts';

/** What a call takes: numbers are words, `bigint`s eight bytes, and bytes opaque ones of any length. */
export type RpcArgument = number | bigint | Uint8Array;

/** How a call differs from one of root. */
export interface RpcCallOptions {
  readonly uid?: number;
  readonly gids?: readonly number[];
}

/** A client of RPC over TCP that keeps to the rules only as far as it is told to. */
export class RpcClient implements AsyncDisposable {
  readonly #socket: net.Socket;
  readonly #waiting = new Map<number, (results: XdrReader) => void>();
  readonly #failing = new Set<(error: Error) => void>();
  readonly #marks = new RecordMarks(2 ** 24);
  #bytes = Buffer.alloc(0);
  #xid = 1;
  /** Fulfilled when the server, or this one, has ended it. */
  readonly closed: Promise<void>;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    socket.on('error', () => undefined);
    socket.on('close', () => {
      resolve();
      for (const fail of this.#failing) fail(new Error('the server has closed the connection'));
    });
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  static async connect(port: number): Promise<RpcClient> {
    const socket = net.connect(port, '127.0.0.1');
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RpcClient(socket);
  }

  /** Sends bytes as they are. */
  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Takes nothing any more. */
  stopReading(): void {
    this.#socket.pause();
  }

  /** Calls, and gives the accept_stat and what follows it. */
  async call(
    [program, version, procedure]: readonly [number, number, number],
    args: readonly RpcArgument[],
    options: RpcCallOptions = {},
  ): Promise<XdrReader> {
    const xid = this.#xid;
    this.#xid += 1;
    const answer = Promise.withResolvers<XdrReader>();
    this.#waiting.set(xid, answer.resolve);
    this.#failing.add(answer.reject);
    this.send(record(encodeCall([xid, 0, 2, program, version, procedure], encodeArguments(args), options)));
    try {
      return await answer.promise;
    } finally {
      this.#failing.delete(answer.reject);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.closed;
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    for (let taken = this.#marks.take(this.#bytes); taken > 0; taken = this.#marks.take(this.#bytes)) {
      this.#bytes = this.#bytes.subarray(taken);
      if (this.#marks.record === undefined) continue;
      const reply = new XdrReader(this.#marks.record, 'reply');
      const xid = reply.u32be();
      if (reply.u32be() !== 1 || reply.u32be() !== 0) throw new Error('the call was denied');
      reply.skip(8);
      this.#waiting.get(xid)?.(reply);
      this.#waiting.delete(xid);
    }
  }
}

/** Arguments in XDR. */
export function encodeArguments(args: readonly RpcArgument[]): Uint8Array {
  const lengths = args.map((each) =>
    typeof each === 'number' ? 4 : typeof each === 'bigint' ? 8 : opaqueLength(each.length),
  );
  const writer = new XdrWriter(lengths.reduce((sum, length) => sum + length, 0));
  for (const each of args) {
    if (typeof each === 'number') writer.u32be(each);
    else if (typeof each === 'bigint') writer.opaque64be(each);
    else writer.opaque(each);
  }
  return writer.bytes;
}

/** A message with the mark of a record of one fragment. */
export function record(message: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(4 + message.length);
  bytes.writeUInt32BE(0x8000_0000 + message.length);
  bytes.set(message, 4);
  return bytes;
}

function encodeCall(header: readonly number[], args: Uint8Array, { gids = [], uid = 0 }: RpcCallOptions): Uint8Array {
  const credential = encodeArguments([0, Buffer.from('test'), uid, uid, gids.length, ...gids]);
  return Buffer.concat([encodeArguments([...header, 1, credential, 0, 0]), args]);
}
