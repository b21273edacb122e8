import { exitStatusOf, internalErrorStatus } from '../../base/exit-status.ts';
import { isVarveError, systemError } from '../../base/varve-error.ts';
import { printable } from '../../log/printable.ts';
import type { CommandContext } from './command-context.ts';

/**
 * Says in one line on standard error why a command failed; verbosely, after the way that led there.
 * @returns the exit status, which docs/exit-status.md lists
 */
export async function reportError(error: unknown, context?: CommandContext): Promise<number> {
  const known = systemError('go on', error);
  const stopped = context?.stoppedBy;
  if (stopped !== undefined && (isVarveError(known, 'ABORTED') || isAbortError(known))) {
    // SIGTERM and SIGHUP are told by the log, with what was going on.
    if (stopped.received === 'SIGINT') await write(`varve: stopped by Ctrl-C`, context);
    return stopped.exitStatus ?? internalErrorStatus;
  }
  const status = exitStatusOf(known);
  if (context?.verbose) await writeVerbosely(known);
  else if (status === internalErrorStatus)
    await write(`varve: internal error: ${textOf(known)}; -v shows where`, context);
  else await write(`varve: ${textOf(known)}`, context);
  return status;
}

async function writeVerbosely(error: unknown): Promise<void> {
  const { log } = await import('../../log/log.ts');
  log.close();
  log.error(error);
}

async function write(line: string, context: CommandContext | undefined): Promise<void> {
  await context?.endLog();
  process.stderr.write(`${printable(line)}\n`);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
