import http from 'node:http';
import { json } from 'node:stream/consumers';
import { exitStatuses } from '../../base/exit-status.ts';
import { type ErrorCode, VarveError } from '../../base/varve-error.ts';
import type { ControlMessage } from './control-server.ts';

/** A request to a process that holds a disk. */
export interface ControlRequest {
  readonly method: 'GET' | 'POST';
  /** `/images/UUID/snapshots` */
  readonly path: string;
  readonly message?: ControlMessage | undefined;
}

/**
 * Asks the process that listens on a control socket. Undefined where nobody does: it ended meanwhile, or cannot be
 * reached from here.
 * @throws what the process answers
 */
export async function askControl(socketPath: string, request: ControlRequest): Promise<ControlMessage | undefined> {
  const response = await send(socketPath, request);
  if (response === undefined) return undefined;
  const answer = (await json(response)) as ControlMessage;
  if ((response.statusCode ?? 500) < 400) return answer;
  const { code, message } = (answer.error ?? {}) as Record<string, unknown>;
  throw new VarveError(codeOf(code), String(message));
}

function send(
  socketPath: string,
  { method, path, message }: ControlRequest,
): Promise<http.IncomingMessage | undefined> {
  return new Promise((resolve, reject) => {
    const body = message === undefined ? undefined : JSON.stringify(message);
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const request = http.request({ socketPath, method, path, headers, agent: false }, resolve);
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (['ENOENT', 'ECONNREFUSED'].includes(error.code ?? '')) resolve(undefined);
      else reject(new VarveError('IO', `cannot talk to ${socketPath}: ${error.message}`, { cause: error }));
    });
    request.end(body);
  });
}

function codeOf(code: unknown): ErrorCode {
  return typeof code === 'string' && code in exitStatuses ? (code as ErrorCode) : 'IO';
}
