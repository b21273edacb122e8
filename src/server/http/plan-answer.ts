import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { ServedFile } from '../files/file-source.ts';
import { type ByteRange, parseByteRange } from './byte-range.ts';
import { isSameForRange, statusByConditions, type Validators } from './conditions.ts';
import { mediaTypeOf } from './media-type.ts';

/** What a request is answered by. */
export interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  /** The bytes of the file that follow; undefined where none do. */
  readonly body: ByteRange | undefined;
  /** Why the client does not get what it asked for. */
  readonly failure: string | undefined;
}

/** A request for a file, a GET or HEAD. */
export interface FileRequest {
  readonly name: string;
  readonly method: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** The answer to a request for a file that is there. */
export function planAnswer({ headers: asked, method, name }: FileRequest, file: ServedFile): Answer {
  const validators = validatorsOf(file);
  const { entityTag, modifiedMs } = validators;
  const headers: OutgoingHttpHeaders = { 'accept-ranges': 'bytes' };
  if (entityTag !== undefined) headers.etag = entityTag;
  else headers['cache-control'] = 'no-store';
  if (modifiedMs !== undefined) headers['last-modified'] = new Date(modifiedMs).toUTCString();
  const condition = statusByConditions(asked, validators);
  if (condition === 304) return { status: 304, headers, body: undefined, failure: undefined };
  if (condition === 412) return withoutBody(412, headers, 'the file is not the one the client knows');
  headers['content-type'] = file.mediaType ?? mediaTypeOf(name);
  const { size } = file;
  // A range has no meaning with HEAD (RFC 9110, section 14.2).
  const range =
    method === 'GET' && asked.range !== undefined && isSameForRange(asked['if-range']?.toString(), validators)
      ? parseByteRange(asked.range, size)
      : undefined;
  if (range === 'unsatisfiable') {
    headers['content-range'] = `bytes */${size}`;
    return withoutBody(416, headers, `the file has ${size} bytes`);
  }
  if (range === undefined) {
    headers['content-length'] = size;
    return { status: 200, headers, body: { offset: 0, length: size }, failure: undefined };
  }
  headers['content-length'] = range.length;
  headers['content-range'] = `bytes ${range.offset}-${range.offset + range.length - 1}/${size}`;
  return { status: 206, headers, body: range, failure: undefined };
}

function withoutBody(status: number, headers: OutgoingHttpHeaders, failure: string): Answer {
  headers['content-length'] = 0;
  return { status, headers, body: undefined, failure };
}

/** Versions may tell of this machine what is nobody's business. */
function validatorsOf({ modifiedMs, version }: ServedFile): Validators {
  const digest = version && createHash('sha256').update(version).digest('base64url').slice(0, 22);
  // Dates of the future would say of tomorrow's content that it is known (RFC 9110, section 8.8.2.1).
  const isPast = modifiedMs !== undefined && modifiedMs >= 0 && modifiedMs <= Date.now();
  return {
    entityTag: digest && `"${digest}"`,
    modifiedMs: isPast ? Math.floor(modifiedMs / 1000) * 1000 : undefined,
  };
}
