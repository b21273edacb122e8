import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectDirectory } from '../../scripts/project.ts';

/** The path of the command line of this clone. */
export const varveProgram = join(projectDirectory, 'varve');

/** Runs `varve ARGS` with a store, and gives what it prints. @throws Error where it fails */
export async function runVarve(store: string, ...args: readonly string[]): Promise<string> {
  const run = promisify(execFile)(varveProgram, args, { env: { ...process.env, VARVE_STORE: store } });
  return (await run).stdout;
}
