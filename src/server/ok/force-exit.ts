import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { VarveError } from '../../base/varve-error.ts';
import { identityOf, isRunning } from '../../linux/process-identity.ts';

/** A debugger reads the symbols of the program first, which may be many. */
const longestRunMs = 60_000;
const exitWaitMs = 2000;
const pauseMs = 10;

/**
 * Makes any process exit with status 0, at once and without its own clean-up: gdb attaches to it and has it call
 * `_exit(0)`.
 *
 * @throws VarveError `NOT_FOUND` for a process that is not there or where there is no gdb, `PERMISSION` where the system
 *   does not let us, `IO` with what gdb says
 */
export async function forceExit(pid: number): Promise<void> {
  const identity = identityOf(pid);
  if (identity === undefined) throw new VarveError('NOT_FOUND', `there is no process ${pid}`);
  const said = await runGdb(pid);
  for (let waited = 0; waited < exitWaitMs; waited += pauseMs) {
    if (!isRunning(identity)) return;
    await setTimeout(pauseMs);
  }
  throw refusal(pid, said);
}

async function runGdb(pid: number): Promise<string> {
  const commands = ['-iex', 'set debuginfod enabled off', '-iex', 'set auto-load no', '-ex', 'set confirm off'];
  const call = ['-ex', 'call ((void (*)(int)) _exit)(0)'];
  const gdb = spawn('gdb', ['-nx', '-batch', '-p', String(pid), ...commands, ...call], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: longestRunMs,
  });
  const ended = new Promise<void>((resolve, reject) => gdb.once('error', reject).once('close', () => resolve()));
  try {
    const [output, errors] = await Promise.all([text(gdb.stdout), text(gdb.stderr), ended]);
    return `${errors}\n${output}`;
  } catch (cause) {
    throw new VarveError('NOT_FOUND', `cannot make process ${pid} exit: there is no gdb; install it`, { cause });
  }
}

/** Source: Documentation/admin-guide/LSM/Yama.rst, `ptrace_scope`. */
function refusal(pid: number, said: string): VarveError {
  const doing = `cannot make process ${pid} exit`;
  if (!/not permitted|denied/i.test(said)) {
    const line = said.split('\n').find((each) => /\S/.test(each) && !/^warning/i.test(each)) ?? 'gdb did not';
    return new VarveError('IO', `${doing}: ${line.trim()}`);
  }
  const scope = ptraceScope();
  const advice =
    scope === '0' ? "it is another user's, or protected" : `kernel.yama.ptrace_scope is ${scope}; do it as root`;
  return new VarveError('PERMISSION', `${doing}: the system does not let you trace it: ${advice}`);
}

function ptraceScope(): string {
  try {
    return readFileSync('/proc/sys/kernel/yama/ptrace_scope', 'latin1').trim();
  } catch {
    return '0';
  }
}
