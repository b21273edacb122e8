import { VarveError } from '../../base/varve-error.ts';
import { localDiskArgument } from '../../image/disk-argument.ts';

/**
 * Refuses an argument that names an image in the store, for commands that are about files. `instead` is advice.
 *
 * @throws VarveError `INVALID`
 */
export function requireDiskFile(argument: string, verb: string, instead: string): void {
  if (localDiskArgument(argument).kind === 'file') return;
  const advice = `${instead}; for the file of that name write ./${argument}`;
  throw new VarveError('INVALID', `cannot ${verb} ${argument}: that names an image of the store; ${advice}`);
}
