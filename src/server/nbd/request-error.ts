import { type ErrorCode, isVarveError } from '../../base/varve-error.ts';
import { nbdErrors } from '../../protocol/nbd/constants.ts';

/** Why a request is refused, as the client is told. */
export interface RequestError {
  /** Of `nbdErrors`. */
  readonly error: number;
  readonly message: string;
}

const errorsByCode: Partial<Record<ErrorCode, number>> = {
  READ_ONLY: nbdErrors.EPERM,
  PERMISSION: nbdErrors.EPERM,
  NO_SPACE: nbdErrors.ENOSPC,
  OUT_OF_RANGE: nbdErrors.EINVAL,
  UNSUPPORTED: nbdErrors.ENOTSUP,
};

/** What a client is told when a device failed: not where the server's files are. */
export function deviceError(error: unknown): RequestError {
  const number = (isVarveError(error) ? errorsByCode[error.code] : undefined) ?? nbdErrors.EIO;
  return { error: number, message: isVarveError(error) ? `the disk failed: ${error.code}` : 'the disk failed' };
}
