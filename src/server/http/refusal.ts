import { STATUS_CODES } from 'node:http';
import { type ErrorCode, isVarveError } from '../../base/varve-error.ts';

/** Why a request gets no file. */
export interface Refusal {
  readonly status: number;
  /** For whoever serves: it may name what clients need not know. */
  readonly failure: string;
  /** For the client, one line. */
  readonly text: string;
}

const statuses: Partial<Record<ErrorCode, number>> = {
  ABORTED: 503,
  BUSY: 503,
  INVALID: 404,
  NOT_FOUND: 404,
  PERMISSION: 403,
};

/** A refusal by status alone. */
export function refuse(status: number, failure: string): Refusal {
  return { status, failure, text: `${status} ${STATUS_CODES[status]}\n` };
}

/** The refusal that an error of a file comes to. */
export function refusalOf(error: unknown): Refusal {
  const failure = error instanceof Error ? error.message : String(error);
  return refuse((isVarveError(error) ? statuses[error.code] : undefined) ?? 500, failure);
}
