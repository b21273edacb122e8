import { join } from 'node:path';
import type { CommandContext } from './command-context.ts';
import { runPath } from './run-path.ts';

/**
 * The directory in which attached disks are, without what is left of those whose holders died.
 *
 * @throws VarveError where that cannot be taken away
 */
export async function currentRunPath(context: CommandContext): Promise<string> {
  const { sweepDead } = await import('../../server/attach/sweep-dead.ts');
  const path = join(runPath(), 'attached');
  for (const remark of await sweepDead(path)) context.remark(remark);
  return path;
}
