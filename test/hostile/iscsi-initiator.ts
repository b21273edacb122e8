import net from 'node:net';
import { headerLength, noTag, requests, responses } from '../../src/protocol/iscsi/constants.ts';
import { encodeText } from '../../src/protocol/iscsi/text.ts';

/** A PDU that came. */
export interface ReceivedPdu {
  readonly code: number;
  readonly header: Buffer;
  readonly data: Buffer;
}

/** A PDU that is to be sent; what is not said is zero. */
export interface SentPdu {
  /** With 40h where it is immediate. */
  readonly code: number;
  readonly flags?: number;
  readonly lun?: number;
  readonly tag?: number;
  /** Bytes 20 to 23. */
  readonly second?: number;
  readonly commandSn?: number;
  /** Bytes 32 to 47. */
  readonly rest?: Uint8Array;
  readonly data?: Uint8Array;
  /** Words of further headers, which are zeros. */
  readonly furtherWords?: number;
  /** What the header says, where it lies. */
  readonly claimedLength?: number;
}

/** A PDU's bytes, without digests. */
export function encodePdu(pdu: SentPdu): Buffer {
  const { code, commandSn = 0, data = new Uint8Array(), flags = 0, furtherWords = 0, lun = 0 } = pdu;
  const header = Buffer.alloc(headerLength + furtherWords * 4);
  header[0] = code;
  header[1] = flags;
  header.writeUInt32BE(((furtherWords << 24) | (pdu.claimedLength ?? data.length)) >>> 0, 4);
  header[9] = lun;
  header.writeUInt32BE(pdu.tag ?? 0, 16);
  header.writeUInt32BE(pdu.second ?? 0, 20);
  header.writeUInt32BE(commandSn, 24);
  header.set(pdu.rest ?? [], 32);
  return Buffer.concat([header, data, Buffer.alloc(-data.length & 3)]);
}

/** What follows in a PDU of data: number, offset. */
export function dataRest(number: number, offset: number): Uint8Array {
  const rest = Buffer.alloc(16);
  rest.writeUInt32BE(number, 4);
  rest.writeUInt32BE(offset, 8);
  return rest;
}

/** READ (10) or WRITE (10), in blocks of 512 bytes. */
export function transferCommand(operationCode: number, lba: number, count: number): Uint8Array {
  const command = Buffer.alloc(16);
  command[0] = operationCode;
  command.writeUInt32BE(lba, 2);
  command.writeUInt16BE(count, 7);
  return command;
}

const unitAttention = 6;

export const codes = { READ: 0x28, WRITE: 0x2a };

/** An initiator that says what it is told to, be it wrong, and takes apart what it hears. */
export class PlainInitiator {
  readonly stream: net.Socket;
  readonly closed: Promise<void>;
  /** CmdSN of the next command. */
  commandSn = 1;
  #tag = 0;
  #received: Buffer = Buffer.alloc(0);
  #isClosed = false;
  #wake = Promise.withResolvers<void>();

  constructor(port: number) {
    this.stream = net.connect(port, '127.0.0.1');
    this.closed = new Promise((resolve) => this.stream.once('close', () => resolve()));
    this.stream.on('error', () => undefined);
    for (const event of ['end', 'close']) {
      this.stream.on(event, () => {
        this.#isClosed = true;
        this.#notify();
      });
    }
    this.stream.on('data', (chunk: Buffer) => {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      this.#notify();
    });
  }

  send(...pdus: readonly SentPdu[]): void {
    this.stream.write(Buffer.concat(pdus.map(encodePdu)));
  }

  /** The next PDU; `undefined` where the connection has ended. Pings of the target are answered, and passed over. */
  async next(): Promise<ReceivedPdu | undefined> {
    for (;;) {
      const header = await this.#take(headerLength);
      if (header.length < headerLength) return undefined;
      const dataLength = header.readUIntBE(5, 3);
      const data = (await this.#take((dataLength + 3) & ~3)).subarray(0, dataLength);
      const code = header[0]! & 0x3f;
      if (code !== responses.NOP_IN || header.readUInt32BE(20) === noTag) return { code, header, data };
      const second = header.readUInt32BE(20);
      this.send({ code: requests.NOP_OUT | 0x40, flags: 0x80, tag: noTag, second, commandSn: this.commandSn });
    }
  }

  /** One step of a login; `flags` say which. */
  login(flags: number, pairs: Readonly<Record<string, string>>): void {
    this.send({
      code: requests.LOGIN | 0x40,
      flags,
      data: encodeText(Object.entries(pairs)),
      commandSn: this.commandSn,
    });
  }

  /** Logs in to a target, and hears first that the disk was switched on. */
  async enter(target: string, name = 'iqn.2026-11.test:plain', more: Record<string, string> = {}): Promise<this> {
    this.login(0x87, { InitiatorName: name, TargetName: target, SessionType: 'Normal', ...more });
    const answer = await this.next();
    const status = answer?.header.readUInt16BE(36);
    if (status !== 0) throw new Error(`no login: ${status}`);
    this.send(this.command(new Uint8Array(16), { flags: 0x80, expected: 0 }));
    await this.next();
    return this;
  }

  /** The next command's PDU. `expected` is how many bytes are to be transferred. */
  command(command: Uint8Array, { data, expected, flags }: CommandOptions): SentPdu {
    this.#tag += 1;
    const commandSn = this.commandSn;
    this.commandSn = (commandSn + 1) >>> 0;
    return {
      ...{ code: requests.SCSI_COMMAND, tag: this.#tag, second: expected, commandSn, flags, rest: command },
      ...(data && { data }),
    };
  }

  /** Reads blocks; `undefined` where the connection has ended. Nothing else may be under way. @throws Error where it fails */
  async read(lba: number, count: number): Promise<Buffer | undefined> {
    const command = transferCommand(codes.READ, lba, count);
    this.send(this.command(command, { flags: 0xc0, expected: count * 512 }));
    const parts: Buffer[] = [];
    for (;;) {
      const pdu = await this.next();
      if (pdu === undefined) return undefined;
      if (pdu.code === responses.SCSI_RESPONSE) {
        // Something was changed by others: it is asked again.
        if ((pdu.data[4]! & 0x0f) === unitAttention) return this.read(lba, count);
        if (pdu.header[3] !== 0) throw new Error(`status ${pdu.header[3]}, sense ${pdu.data.toString('hex')}`);
        return Buffer.concat(parts);
      }
      parts.push(pdu.data);
      if ((pdu.header[1]! & 1) !== 0) return Buffer.concat(parts);
    }
  }

  async #take(length: number): Promise<Buffer> {
    while (this.#received.length < length && !this.#isClosed) await this.#wake.promise;
    const bytes = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(bytes.length);
    return bytes;
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}

/** How a command is sent. */
export interface CommandOptions {
  readonly flags: number;
  readonly expected: number;
  readonly data?: Uint8Array;
}
