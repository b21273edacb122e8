import { type ErrorCode, isVarveError } from '../../base/varve-error.ts';
import type { NfsAttributes } from '../../protocol/nfs/attribute-codec.ts';
import { type NfsStatus, nfsStatus } from '../../protocol/nfs/constants.ts';

/** A request that is answered by a status. */
export class NfsFailure extends Error {
  readonly status: NfsStatus;
  /** Of what was asked for, where that is known. */
  readonly attributes: NfsAttributes | undefined;

  constructor(status: NfsStatus, why: string, attributes?: NfsAttributes) {
    super(why);
    this.status = status;
    this.attributes = attributes;
  }
}

/** What clients are told when a file system fails with a code; of all others, that it could not be read. */
const statusByCode: Readonly<Partial<Record<ErrorCode, NfsStatus>>> = {
  NOT_FOUND: nfsStatus.NOENT,
  PERMISSION: nfsStatus.ACCES,
  INVALID: nfsStatus.INVAL,
  READ_ONLY: nfsStatus.ROFS,
};

/** The status for `error`; SERVERFAULT for what is no failure of the world, but of ours. */
export function nfsStatusOf(error: unknown): NfsStatus {
  if (error instanceof NfsFailure) return error.status;
  return isVarveError(error) ? (statusByCode[error.code] ?? nfsStatus.IO) : nfsStatus.SERVERFAULT;
}
