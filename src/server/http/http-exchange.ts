import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FileSource, ServedFile } from '../files/file-source.ts';
import { plainAddress } from '../plain-address.ts';
import { planAnswer } from './plan-answer.ts';
import { type Refusal, refusalOf, refuse } from './refusal.ts';
import { nameOfTarget } from './request-target.ts';
import { openBody } from './send-body.ts';
import type { SendingMemory } from './sending-memory.ts';
import { type PaceLimits, watchPace } from './sending-pace.ts';

/** What became of a request. */
export interface ExchangeEnd {
  /** What was asked for, without the first `/`; as it came where it names no file. */
  readonly name: string;
  readonly status: number;
  /** Of the file that were sent. */
  readonly bytes: number;
  /** Of the file, in bytes; undefined where there is none. */
  readonly size: number | undefined;
  /** Why the client does not have what it asked for; undefined where it does. */
  readonly failure: string | undefined;
}

/** What requests are answered from. */
export interface ExchangeContext {
  readonly source: FileSource;
  readonly memory: SendingMemory;
  readonly pace: PaceLimits;
  readonly isTls: boolean;
}

/** Tells a client to come again in a while. */
export async function answerLater(request: IncomingMessage, response: ServerResponse): Promise<ExchangeEnd> {
  response.setHeader('connection', 'close');
  const name = (request.url ?? '').slice(0, longestUnnamed);
  return await refused(response, refuse(503, 'there are too many connections already'), name);
}

/** Of a target that names no file, what events tell of it. */
const longestUnnamed = 200;

/** Answers a request by a file, or by why there is none. Never fails. */
export async function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  context: ExchangeContext,
): Promise<ExchangeEnd> {
  const { method, url = '' } = request;
  let name = url.slice(0, longestUnnamed);
  let size: number | undefined;
  try {
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return await refused(response, refuse(405, `files are only read here, and ${method} is not served`), name);
    }
    try {
      name = nameOfTarget(url);
    } catch (error) {
      return await refused(response, refuse(400, (error as Error).message), name);
    }
    const found = await context.source.open(name, plainAddress(request.socket.remoteAddress ?? ''));
    if (found === undefined) return await refused(response, refuse(404, 'there is no such file'), name);
    if (found === 'gone') return await refused(response, refuse(410, 'the file is not served any more'), name);
    await using file = found;
    size = file.size;
    return await sendFile(name, file, { request, response, context });
  } catch (error) {
    const refusal = refusalOf(error);
    if (!response.headersSent) return await refused(response, refusal, name, size);
    response.destroy();
    return { name, size, status: response.statusCode, bytes: 0, failure: refusal.failure };
  }
}

async function sendFile(
  name: string,
  file: ServedFile,
  { context, request, response }: { request: IncomingMessage; response: ServerResponse; context: ExchangeContext },
): Promise<ExchangeEnd> {
  const {
    body: range,
    failure,
    headers,
    status,
  } = planAnswer({ name, method: request.method, headers: request.headers }, file);
  const end = { name, status, size: file.size };
  if (range === undefined || range.length === 0 || request.method === 'HEAD') {
    response.writeHead(status, headers);
    return { ...end, bytes: 0, failure: (await ended(response)) ?? failure };
  }
  using _sending = context.memory.begin();
  const body = await openBody(file, range, context);
  if (response.destroyed) return { ...end, bytes: 0, failure: gone };
  response.writeHead(status, headers);
  using pace = watchPace(response, range.length, context.pace);
  const bytes = await body.send(response);
  if (bytes === range.length) return { ...end, bytes, failure: undefined };
  return { ...end, bytes, failure: `${pace.isTooSlow ? 'the client is too slow' : gone}, after ${bytes} bytes` };
}

const gone = 'the client went away';

async function refused(
  response: ServerResponse,
  { failure, status, text }: Refusal,
  name: string,
  size?: number,
): Promise<ExchangeEnd> {
  const content = Buffer.from(text);
  if (status === 503) response.setHeader('retry-after', 1);
  response.setHeader('cache-control', 'no-store');
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'content-length': content.length });
  await ended(response, content);
  return { name, status, bytes: 0, size, failure };
}

/** @returns why the client did not get the end of the response, if it did not */
function ended(response: ServerResponse, content?: Uint8Array): Promise<string | undefined> {
  if (response.destroyed) return Promise.resolve(gone);
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  response.once('close', () => resolve(response.writableFinished ? undefined : gone));
  response.once('finish', () => resolve(undefined));
  response.end(content);
  return promise;
}
