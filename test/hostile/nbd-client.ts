import net from 'node:net';
import type { Duplex } from 'node:stream';
import { ByteReader } from '../../src/bytes/byte-reader.ts';
import { chunkTypes, infoTypes, optionReplies, options, simpleReplyMagic } from '../../src/protocol/nbd/constants.ts';
import { encodeContextRequest, encodeInfoRequest, encodeOption } from '../../src/protocol/nbd/option-codec.ts';
import {
  encodeRequest,
  type ReplyStyle,
  replyLength,
  requestLength,
} from '../../src/protocol/nbd/transmission-codec.ts';

/** An answer to an option. */
export interface OptionAnswer {
  readonly type: number;
  readonly data: Buffer;
}

/** What came for one request: an error, or chunks. */
export interface Answer {
  readonly cookie: number;
  readonly error: number;
  readonly chunks: readonly { readonly type: number; readonly payload: Buffer }[];
}

/** How a client comes to an export. */
export interface GoOptions {
  readonly name?: string;
  readonly style?: ReplyStyle;
  readonly contexts?: readonly string[];
}

/** A client that says what it is told to, be it wrong, and takes apart what it hears. */
export class PlainNbdClient {
  readonly stream: Duplex;
  readonly closed: Promise<void>;
  /** Of the export, as `go` learned them. */
  flags = 0;
  size = 0;
  #style: ReplyStyle = 'simple';
  #received: Buffer[] = [];
  #length = 0;
  #isClosed = false;
  #wake = Promise.withResolvers<void>();
  #cookie = 0;

  constructor(where: string | Duplex) {
    this.stream = typeof where === 'string' ? net.connect(where) : where;
    this.closed = new Promise((resolve) => this.stream.once('close', () => resolve()));
    this.stream.on('error', () => undefined);
    this.stream.on('end', () => this.#end());
    this.stream.on('close', () => this.#end());
    this.stream.on('data', (chunk: Buffer) => {
      this.#received.push(chunk);
      this.#length += chunk.length;
      this.#notify();
    });
  }

  /** The next bytes; fewer where the connection ends. */
  async read(length: number): Promise<Buffer> {
    while (this.#length < length && !this.#isClosed) await this.#wake.promise;
    const all = this.#received.length === 1 ? (this.#received[0] as Buffer) : Buffer.concat(this.#received);
    const bytes = all.subarray(0, length);
    const rest = all.subarray(length);
    this.#received = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
    return bytes;
  }

  /** Takes the greeting, and answers it. */
  async greet(flags = 3): Promise<void> {
    await this.read(18);
    this.stream.write(Buffer.of(0, 0, 0, flags));
  }

  /** Sends an option, and gives all answers to it. */
  async option(option: number, data: Uint8Array = new Uint8Array()): Promise<OptionAnswer[]> {
    this.stream.write(encodeOption(option, data));
    const answers: OptionAnswer[] = [];
    for (;;) {
      const answer = await this.optionAnswer();
      if (answer === undefined) return answers;
      answers.push(answer);
      if (answer.type === optionReplies.ACK || answer.type >= 2 ** 31) return answers;
    }
  }

  async optionAnswer(): Promise<OptionAnswer | undefined> {
    const head = await this.read(20);
    if (head.length < 20) return undefined;
    return { type: head.readUInt32BE(12), data: await this.read(head.readUInt32BE(16)) };
  }

  /** Comes to an export. */
  async go({ contexts = [], name = '', style = 'simple' }: GoOptions = {}): Promise<this> {
    await this.greet();
    if (style === 'structured') await this.option(options.STRUCTURED_REPLY);
    if (style === 'extended') await this.option(options.EXTENDED_HEADERS);
    this.#style = style;
    if (contexts.length > 0)
      await this.option(options.SET_META_CONTEXT, encodeContextRequest({ name, queries: contexts }));
    const answers = await this.option(options.GO, encodeInfoRequest({ name, types: [infoTypes.BLOCK_SIZE] }));
    if (answers.at(-1)?.type !== optionReplies.ACK) throw new Error(`no export: ${answers.at(-1)?.data.toString()}`);
    for (const { data } of answers) {
      if (data.length !== 12 || data.readUInt16BE(0) !== infoTypes.EXPORT) continue;
      const reader = new ByteReader(data.subarray(2), 'export');
      this.size = reader.u64be();
      this.flags = reader.u16be();
    }
    return this;
  }

  /** Sends a request, and gives its cookie. */
  send(request: { command: number; flags?: number; offset?: number; length?: number; payload?: Uint8Array }): number {
    this.#cookie += 1;
    const head = Buffer.alloc(requestLength(this.#style));
    const { command, flags = 0, offset = 0, payload } = request;
    const { length = payload?.length ?? 0 } = request;
    const header = { hasMagic: true, command, flags, offset, length, cookieHigh: 7, cookieLow: this.#cookie };
    encodeRequest(new DataView(head.buffer, head.byteOffset, head.length), 0, this.#style === 'extended', header);
    this.stream.write(payload === undefined ? head : Buffer.concat([head, payload]));
    return this.#cookie;
  }

  /** The next whole answer, where no two come mixed; `length` bytes of data follow a simple one that is no error. */
  async answer(length = 0): Promise<Answer | undefined> {
    const chunks: { type: number; payload: Buffer }[] = [];
    let error = 0;
    for (;;) {
      const chunk = await this.#chunk(length);
      if (chunk === undefined) return undefined;
      if (chunk.type >= chunkTypes.ERROR) error = chunk.payload.readUInt32BE(0);
      else if (chunk.type !== chunkTypes.NONE) chunks.push({ type: chunk.type, payload: chunk.payload });
      if (chunk.isLast) return { cookie: chunk.cookie, error, chunks };
    }
  }

  async #chunk(
    length: number,
  ): Promise<{ type: number; isLast: boolean; cookie: number; payload: Buffer } | undefined> {
    const start = await this.read(16);
    if (start.length < 16) return undefined;
    if (start.readUInt32BE(0) === simpleReplyMagic) {
      const error = start.readUInt32BE(4);
      const [type, payload] =
        error === 0 ? [chunkTypes.NONE, await this.read(length)] : [chunkTypes.ERROR, start.subarray(4, 8)];
      return {
        type: length > 0 && error === 0 ? chunkTypes.OFFSET_DATA : type,
        isLast: true,
        cookie: start.readUInt32BE(12),
        payload,
      };
    }
    const rest = await this.read(replyLength(this.#style) - 16);
    const payload = await this.read(rest.readUInt32BE(rest.length - 4));
    const flags = start.readUInt16BE(4);
    return { type: start.readUInt16BE(6), isLast: (flags & 1) !== 0, cookie: start.readUInt32BE(12), payload };
  }

  #end(): void {
    this.#isClosed = true;
    this.#notify();
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}
