import fs from 'node:fs';
import { isVarveError, VarveError } from '../base/varve-error.ts';

/** The error for an argument that named no snapshot: whoever meant a file learns how to say so. */
export function withFileHint(argument: string, error: unknown): unknown {
  if (!isVarveError(error, 'NOT_FOUND', 'INVALID')) return error;
  if (fs.existsSync(argument)) {
    return new VarveError(error.code, `${error.message}; for the file of that name write ./${argument}`, {
      cause: error,
    });
  }
  if (!/\.(raw|img|qcow2?|vmdk|vhdx?|vdi|ova|iso)$/i.test(argument)) return error;
  return new VarveError('NOT_FOUND', `there is neither a file nor an image ${argument}`, { cause: error });
}
