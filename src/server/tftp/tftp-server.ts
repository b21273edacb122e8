import dgram from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { isVarveError, systemError } from '../../base/varve-error.ts';
import { negotiateOptions, type TermLimits, type TransferTerms } from '../../protocol/tftp/negotiate-options.ts';
import { encodeNetascii } from '../../protocol/tftp/netascii.ts';
import { decodeRequest, encodeError, errorCodes, type TftpRequest } from '../../protocol/tftp/packet-codec.ts';
import type { FileSource, ServedFile } from '../files/file-source.ts';
import { memoryFile } from '../files/memory-file.ts';
import { plainAddress } from '../plain-address.ts';
import { DatagramSocket } from './datagram-socket.ts';
import { Transfer, type TransferEnd } from './transfer.ts';
import { type RunningTransfer, TransferThread } from './transfer-thread.ts';

/** A request that was answered, when it was done with. */
export interface TftpEvent {
  /** The client's address and port. */
  readonly client: string;
  readonly fileName: string;
  /** Of the file, in bytes; undefined where none was found. */
  readonly size: number | undefined;
  readonly milliseconds: number;
  /** Why the client does not have the file; undefined where it does. */
  readonly failure: TransferEnd;
}

/** How files are served. */
export interface TftpServerOptions extends TermLimits {
  readonly source: FileSource;
  /** `0.0.0.0` where nothing is given. */
  readonly host?: string | undefined;
  /** 69 where nothing is given; 0 is any that is free. */
  readonly port?: number | undefined;
  /** At once; some hundred further requests wait, for seconds at most. 512 where nothing is given. */
  readonly maximumTransfers?: number | undefined;
  /** Of one address, at once; 64 where nothing is given. */
  readonly maximumTransfersPerClient?: number | undefined;
  /** Hears of each request once it is done with. */
  readonly onEvent?: ((event: TftpEvent) => void) | undefined;
}

/** A server that listens. Disposing ends all transfers. */
export interface TftpServer extends AsyncDisposable {
  readonly port: number;
  readonly transferCount: number;
}

/** Text that is longer is not served in mode `netascii`, in bytes. */
const longestText = 2 ** 20;
const sweepMs = 200;

/**
 * Serves files over TFTP, for reading.
 *
 * @throws VarveError `PERMISSION` or `BUSY` for a port that cannot be had, `IO`
 */
export async function listenTftp(options: TftpServerOptions): Promise<TftpServer> {
  const server = new Server(options);
  await server.listen();
  return server;
}

interface Client {
  readonly address: string;
  readonly port: number;
}

interface WaitingRequest {
  readonly bytes: Uint8Array;
  readonly client: Client;
  /** As of `performance.now()`. */
  readonly sinceMs: number;
}

/** Requests; who comes later has to ask again. */
const maximumWaiting = 256;
/** After which a client has asked again, or has gone. */
const longestWaitMs = 5000;

class Server implements TftpServer {
  readonly #options: TftpServerOptions;
  readonly #host: string;
  readonly #socket: dgram.Socket;
  /** By address and port of the client; undefined until its file is open. */
  readonly #transfers = new Map<string, RunningTransfer | undefined>();
  readonly #countByAddress = new Map<string, number>();
  /** Requests over the limits, by address and port of the client. */
  readonly #waiting = new Map<string, WaitingRequest>();
  #thread: TransferThread | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: TftpServerOptions) {
    this.#options = options;
    this.#host = options.host ?? '0.0.0.0';
    const type = this.#host.includes(':') ? 'udp6' : 'udp4';
    this.#socket = dgram.createSocket({ type, recvBufferSize: 2 ** 20 });
  }

  get port(): number {
    return (this.#socket.address() as AddressInfo).port;
  }

  get transferCount(): number {
    return this.#transfers.size;
  }

  async listen(): Promise<void> {
    const { port = 69 } = this.#options;
    try {
      this.#socket.bind(port, this.#host);
      await once(this.#socket, 'listening');
    } catch (error) {
      this.#socket.close();
      throw systemError(`serve TFTP at ${this.#host}, port ${port}`, error);
    }
    this.#thread = TransferThread.start();
    this.#socket.on('error', () => {});
    this.#socket.on('message', (bytes, client) => {
      // Port 0 is nobody's: it cannot be answered.
      if (client.port !== 0) void this.#answer(bytes, client);
    });
    this.#sweeper = setInterval(() => this.#sweep(), sweepMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting.clear();
    clearInterval(this.#sweeper);
    for (const transfer of [...this.#transfers.values()]) transfer?.abort('the server shuts down');
    this.#socket.close();
    await this.#thread?.[Symbol.asyncDispose]();
  }

  #sweep(): void {
    const now = performance.now();
    for (const transfer of [...this.#transfers.values()]) transfer?.expire(now);
  }

  async #answer(bytes: Uint8Array, client: Client): Promise<void> {
    let request: TftpRequest;
    try {
      request = decodeRequest(bytes);
    } catch {
      return this.#refuse(client, errorCodes.ILLEGAL_OPERATION, 'this is no request that TFTP knows');
    }
    const start = performance.now();
    const report = (failure: TransferEnd, size?: number): void =>
      this.#options.onEvent?.({
        ...{ client: keyOf(client), fileName: request.fileName, size, failure },
        milliseconds: performance.now() - start,
      });
    const key = keyOf(client);
    const before = this.#transfers.get(key);
    if (before?.hasProgress) before.abandon();
    // Else it has repeated its request, which is being answered.
    if (this.#transfers.has(key)) return;
    if (!this.#admit(client, key)) {
      this.#keepWaiting(key, { bytes, client, sinceMs: start });
      return;
    }
    try {
      const file = await this.#open(request, client);
      await this.#serve(file, request, client, report);
    } catch (error) {
      this.#release(client, key);
      const { code, message } = refusalOf(error);
      this.#refuse(client, code, message);
      report(message);
    }
  }

  async #serve(
    file: ServedFile,
    { mode, options }: TftpRequest,
    client: Client,
    report: (failure: TransferEnd, size: number) => void,
  ): Promise<void> {
    const served = mode === 'octet' ? file : await asNetascii(file);
    const key = keyOf(client);
    const end = (failure: TransferEnd): void => {
      this.#release(client, key);
      void transfer.close();
      report(failure, served.size);
    };
    const transfer = await this.#begin(served, negotiateOptions(options, served.size, this.#options), client, end);
    if (this.#isClosed) transfer.abort('the server shuts down');
    else if (this.#transfers.has(key)) this.#transfers.set(key, transfer);
  }

  /** Files in memory are sent by the thread, and all others from here. */
  async #begin(
    file: ServedFile,
    terms: TransferTerms,
    { address, port }: Client,
    end: (failure: TransferEnd) => void,
  ): Promise<RunningTransfer> {
    if (this.#thread?.canSend(file, this.#host, address) === true) {
      return this.#thread.send(file, terms, { local: this.#host, remote: { address, port } }, end);
    }
    const socket = new DatagramSocket(address);
    const transfer = new Transfer(file, terms, socket, end);
    try {
      await socket.connect(transfer, this.#host, address, port);
    } catch (error) {
      await transfer.close();
      throw systemError('send to the client', error);
    }
    transfer.start();
    return transfer;
  }

  async #open({ kind, fileName, mode }: TftpRequest, { address }: Client): Promise<ServedFile> {
    if (kind === 'write') throw new Refusal(errorCodes.ACCESS_VIOLATION, 'files are only read here');
    if (mode !== 'octet' && mode !== 'netascii') throw new Refusal(errorCodes.ILLEGAL_OPERATION, `no mode ${mode}`);
    const file = await this.#options.source.open(fileName, plainAddress(address));
    if (file === undefined) throw new Refusal(errorCodes.FILE_NOT_FOUND, `there is no file ${fileName}`);
    if (file === 'gone') throw new Refusal(errorCodes.FILE_NOT_FOUND, `${fileName} is not there any more`);
    return file;
  }

  #hasRoom({ address }: Client): boolean {
    const { maximumTransfers = 512, maximumTransfersPerClient = 64 } = this.#options;
    const count = this.#countByAddress.get(address) ?? 0;
    return this.#transfers.size < maximumTransfers && count < maximumTransfersPerClient;
  }

  #admit(client: Client, key: string): boolean {
    if (!this.#hasRoom(client)) return false;
    this.#transfers.set(key, undefined);
    this.#countByAddress.set(client.address, (this.#countByAddress.get(client.address) ?? 0) + 1);
    return true;
  }

  #release({ address }: Client, key: string): void {
    if (!this.#transfers.delete(key)) return;
    const count = this.#countByAddress.get(address) ?? 0;
    if (count > 1) this.#countByAddress.set(address, count - 1);
    else this.#countByAddress.delete(address);
    this.#answerWaiting();
  }

  /** To drop it would cost the client seconds, until it asks again. */
  #keepWaiting(key: string, request: WaitingRequest): void {
    if (this.#waiting.size < maximumWaiting || this.#waiting.has(key)) this.#waiting.set(key, request);
  }

  #answerWaiting(): void {
    const now = performance.now();
    for (const [key, { bytes, client, sinceMs }] of this.#waiting) {
      const isStale = now - sinceMs > longestWaitMs;
      if (!isStale && (this.#isClosed || !this.#hasRoom(client))) continue;
      this.#waiting.delete(key);
      if (!isStale) void this.#answer(bytes, client);
    }
  }

  #refuse({ address, port }: Client, code: number, message: string): void {
    if (!this.#isClosed) this.#socket.send(encodeError(code, message), port, address, () => {});
  }
}

/** A request that is answered by an error. */
class Refusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

function refusalOf(error: unknown): { code: number; message: string } {
  if (error instanceof Refusal) return error;
  if (isVarveError(error, 'PERMISSION')) return { code: errorCodes.ACCESS_VIOLATION, message: error.message };
  if (isVarveError(error, 'NOT_FOUND')) return { code: errorCodes.FILE_NOT_FOUND, message: error.message };
  return { code: errorCodes.UNDEFINED, message: isVarveError(error) ? error.message : 'the file cannot be served' };
}

async function asNetascii(file: ServedFile): Promise<ServedFile> {
  await using text = file;
  if (text.size > longestText) throw new Refusal(errorCodes.ILLEGAL_OPERATION, 'too long for netascii: use octet');
  const content = new Uint8Array(text.size);
  await text.read(content, 0);
  return memoryFile(encodeNetascii(content));
}

function keyOf({ address, port }: Client): string {
  return `${address} ${port}`;
}
