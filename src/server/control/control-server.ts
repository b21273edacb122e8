import fs from 'node:fs';
import http from 'node:http';
import { type ErrorCode, isVarveError, systemError, VarveError } from '../../base/varve-error.ts';
import { newControlPath } from './control-path.ts';

/** What comes with a request and goes back: what JSON can say. */
export type ControlMessage = Readonly<Record<string, unknown>>;

/** Answers a request. What it throws goes back as `{ error: { code, message } }`. */
export type ControlHandler = (message: ControlMessage) => ControlMessage | Promise<ControlMessage>;

/** Messages are short: names, texts that people write. */
const maximumMessageLength = 2 ** 20;

const statuses: Partial<Record<ErrorCode, number>> = {
  ...{ INVALID: 400, PERMISSION: 403, NOT_FOUND: 404, UNSUPPORTED: 501, NO_SPACE: 507 },
  ...{ BUSY: 409, CONFLICT: 409, EXISTS: 409 },
};

/**
 * Where other processes of this user talk to one that holds disks open: HTTP with JSON on a Unix socket. Who may
 * connect to the socket may do everything.
 */
export class ControlServer implements AsyncDisposable {
  /** The path of the socket. */
  readonly path: string;
  readonly #handlers = new Map<string, ControlHandler>();
  readonly #server: http.Server;

  private constructor(path: string) {
    this.path = path;
    this.#server = http.createServer((request, response) => void this.#answer(request, response));
  }

  /** Listens on a new socket. @throws PERMISSION, IO */
  static async listen(path: string = newControlPath()): Promise<ControlServer> {
    const control = new ControlServer(path);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    control.#server.once('error', reject);
    // Its directory keeps others out; this is for those who moved that elsewhere.
    const mask = process.umask(0o177);
    try {
      control.#server.listen(path, resolve);
      await promise;
    } catch (cause) {
      throw systemError(`listen on ${path}`, cause);
    } finally {
      process.umask(mask);
    }
    return control;
  }

  /** Lets `handler` answer requests such as `POST /images/UUID/snapshots`, until what this returns is disposed of. */
  handle(method: 'GET' | 'POST', path: string, handler: ControlHandler): Disposable {
    const key = `${method} ${path}`;
    this.#handlers.set(key, handler);
    return { [Symbol.dispose]: () => void this.#handlers.delete(key) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    await closed;
    fs.rmSync(this.path, { force: true });
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    let status = 200;
    let answer: ControlMessage;
    try {
      answer = await this.#perform(request);
    } catch (error) {
      const code = isVarveError(error) ? error.code : 'IO';
      status = statuses[code] ?? 500;
      answer = { error: { code, message: error instanceof Error ? error.message : String(error) } };
    }
    const body = Buffer.from(JSON.stringify(answer));
    // A connection for each request: none that idles keeps the server from ending.
    response.writeHead(status, {
      ...{ 'content-type': 'application/json', 'content-length': body.length, connection: 'close' },
    });
    response.end(body);
  }

  async #perform(request: http.IncomingMessage): Promise<ControlMessage> {
    const handler = this.#handlers.get(`${request.method} ${request.url}`);
    if (handler === undefined) throw new VarveError('NOT_FOUND', `nothing answers ${request.method} ${request.url}`);
    return await handler(await readMessage(request));
  }
}

async function readMessage(request: http.IncomingMessage): Promise<ControlMessage> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request) {
    parts.push(part);
    length += part.length;
    if (length > maximumMessageLength) throw new VarveError('INVALID', 'the message is too long');
  }
  if (length === 0) return {};
  try {
    const message: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'));
    if (typeof message === 'object' && message !== null) return message as ControlMessage;
  } catch {
    // Said below.
  }
  throw new VarveError('INVALID', 'the message is no JSON object');
}
