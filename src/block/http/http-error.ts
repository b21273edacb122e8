import { type ErrorCode, VarveError } from '../../base/varve-error.ts';

/** A failure that may be over when one asks again: a server that is overloaded, a connection that broke. */
export class PassingError extends VarveError {
  /** How long the server asks to be left alone, in milliseconds. */
  readonly retryAfterMs: number;

  constructor(code: ErrorCode, message: string, options: ErrorOptions & { readonly retryAfterMs?: number } = {}) {
    super(code, message, options);
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}

/** What went wrong with a connection or with what came over it. */
export function connectionError(label: string, cause: unknown): unknown {
  if (!(cause instanceof Error) || cause instanceof VarveError) return cause;
  const { code = '' } = cause as NodeJS.ErrnoException;
  const what = `cannot read ${label}`;
  if (code === 'ENOTFOUND') return new VarveError('NOT_FOUND', `${what}: there is no such host`, { cause });
  if (code === 'ECONNREFUSED') return new PassingError('NOT_FOUND', `${what}: nobody listens there`, { cause });
  if (/CERT|SIGNATURE|^ERR_TLS|SELF_SIGNED|ISSUER/.test(code)) {
    const why = `the server is not known to be who it should be: ${cause.message}`;
    return new VarveError('PERMISSION', `${what}: ${why}`, { cause });
  }
  if (code.startsWith('HPE_') || code === 'EPROTO') {
    return new VarveError('CORRUPT', `${what}: what answers does not keep to HTTP: ${cause.message}`, { cause });
  }
  return new PassingError('IO', `${what}: ${cause.message}`, { cause });
}

const passingStatuses = [408, 425, 429, 500, 502, 503, 504];
/** A server does not get to keep anybody waiting for longer. */
const longestRetryAfterMs = 30_000;

/** What an answer means that gives nothing of a file. */
export function statusError(label: string, status: number, retryAfter: string | undefined): VarveError {
  const what = `cannot read ${label}: the server answers ${status}`;
  if (passingStatuses.includes(status)) {
    const seconds = /^\d{1,9}$/.test(retryAfter ?? '') ? Number(retryAfter) : 0;
    return new PassingError('IO', what, { retryAfterMs: Math.min(seconds * 1000, longestRetryAfterMs) });
  }
  if (status === 404 || status === 410) return new VarveError('NOT_FOUND', `${what}, there is no such file`);
  if ([401, 403, 407].includes(status)) return new VarveError('PERMISSION', `${what}, it lets not everybody read it`);
  return new VarveError('IO', what);
}
