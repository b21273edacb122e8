import type { ServerResponse } from 'node:http';
import type { ServedFile } from '../files/file-source.ts';
import { isMemoryFile } from '../files/memory-file.ts';
import type { ByteRange } from './byte-range.ts';
import type { SendingMemory } from './sending-memory.ts';

/**
 * What is handed on at once of a file in memory, in bytes. Little costs processor time, and more would make no difference:
 * TLS encrypts all that it is given before it sends any of it, and then only the other number is good.
 */
const pieceLength = 2 ** 20;
const tlsPieceLength = 2 ** 18;

/** A body on its way: its first bytes are read before anything is said of the file, as they may not be had. */
export interface Body {
  /** Sends it all, and ends the response. @returns how many bytes went out @throws VarveError what reading failed with */
  send(response: ServerResponse): Promise<number>;
}

/** Prepares to send `range` of a file, from memory without copying it. @throws VarveError what reading failed with */
export async function openBody(
  file: ServedFile,
  range: ByteRange,
  { isTls, memory }: { isTls: boolean; memory: SendingMemory },
): Promise<Body> {
  if (isMemoryFile(file)) {
    const content = file.content.subarray(range.offset, range.offset + range.length);
    return { send: (response) => sendContent(content, response, isTls ? tlsPieceLength : pieceLength) };
  }
  const piece = new Uint8Array(Math.min(range.length, memory.share));
  await file.read(piece, range.offset);
  return { send: (response) => sendPieces(file, range, piece, response) };
}

async function sendContent(content: Uint8Array, response: ServerResponse, length: number): Promise<number> {
  let sent = 0;
  for (; sent + length < content.length; sent += length) {
    if (!(await written(response, content.subarray(sent, sent + length), false))) return sent;
  }
  return (await written(response, content.subarray(sent), true)) ? content.length : sent;
}

/** Reads one piece while the one before it goes out. */
async function sendPieces(
  file: ServedFile,
  { length, offset }: ByteRange,
  first: Uint8Array,
  response: ServerResponse,
): Promise<number> {
  let [current, next] = [first, first];
  let sent = 0;
  while (sent + current.length < length) {
    const sending = written(response, current, false);
    const from = sent + current.length;
    if (next === first && current === first) next = new Uint8Array(first.length);
    const target = next.subarray(0, Math.min(next.length, length - from));
    const [isSent] = await Promise.all([sending, file.read(target, offset + from)]);
    if (!isSent) return sent;
    sent = from;
    [current, next] = [target, current];
  }
  return (await written(response, current, true)) ? length : sent;
}

/** @returns whether the system has taken the bytes: false where the client went away */
function written(response: ServerResponse, bytes: Uint8Array, isLast: boolean): Promise<boolean> {
  if (response.destroyed) return Promise.resolve(false);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const close = (): void => resolve(false);
  response.once('close', close);
  const done = (error?: Error | null): void => {
    response.off('close', close);
    resolve(error === undefined || error === null);
  };
  if (isLast) response.end(bytes, done as () => void);
  else response.write(bytes, done);
  return promise;
}
