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

/**
 * What a client is told when a device failed: not where the server's files are. `ENOTSUP` is kept for zeroing that had
 * to be quick; source: proto.md, "Error values".
 */
export function deviceError(error: unknown, isFastZero = false): RequestError {
  const found = (isVarveError(error) ? errorsByCode[error.code] : undefined) ?? nbdErrors.EIO;
  const number = found === nbdErrors.ENOTSUP && !isFastZero ? nbdErrors.EINVAL : found;
  return { error: number, message: isVarveError(error) ? `the disk failed: ${error.code}` : 'the disk failed' };
}
