import { join } from 'node:path';
import type { Command } from 'commander';
import { parseDuration } from '../base/duration.ts';
import { VarveError } from '../base/varve-error.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { runPath } from './framework/run-path.ts';
import { parseCount } from './input/count.ts';
import { formatTable } from './output/format-table.ts';

interface Options {
  readonly name?: string;
  readonly grace: number;
  readonly pid?: number;
}

const columns = [{ title: 'NAME' }, { title: 'PROCESS', align: 'right' }, { title: 'COMMAND' }] as const;

/** `varve ok [NAME]`, `varve ok run -- COMMAND`, `varve ok --pid P` */
export const okCommand: CommandModule<string[], Options> = {
  examples: [
    [
      'varve ok run --name soak -- ./soak-test',
      'run a command until it ends, or until somebody says that it is enough',
    ],
    ['varve ok soak', 'say so: all its processes end, and varve ok run with status 0'],
    ['varve ok', 'which commands can be told'],
    ['varve ok --pid 4711', 'make any process exit with status 0'],
  ],
  configure: (command: Command) =>
    command
      .argument('[name]', 'the command that is told; or run, and the command to run behind --')
      .argument('[command...]', 'the command to run')
      .option('--name <name>', 'what the command is to be called; its own name where nothing is given')
      .option('--grace <time>', 'how long its processes may take to end by themselves', parseDuration, 2000)
      .option('--pid <process>', 'make this process exit, with gdb', parseCount),
  async run(context, [name, ...command], options) {
    const directory = join(runPath(), 'ok');
    if (options.pid !== undefined) return await exitProcess(context, options.pid, name);
    if (name === undefined) return await listRunning(context, directory);
    if (name === 'run') return await run(directory, command, options);
    if (command.length > 0)
      throw new VarveError('INVALID', 'one name at a time; to run a command, varve ok run -- COMMAND');
    const { tellOk } = await import('../server/ok/tell-ok.ts');
    tellOk(directory, name);
    context.show({ name }, () => '');
  },
};

async function run(directory: string, command: readonly string[], { grace, name }: Options): Promise<number> {
  const [program, ...args] = command;
  if (program === undefined) throw new VarveError('INVALID', 'which command? varve ok run -- COMMAND');
  const { runUntilOk } = await import('../server/ok/run-until-ok.ts');
  return (await runUntilOk({ command: [program, ...args], directory, name, graceMs: grace })).status;
}

async function exitProcess(context: CommandContext, pid: number, name: string | undefined): Promise<void> {
  if (name !== undefined) throw new VarveError('INVALID', 'a name and --pid do not go together; give one');
  const { forceExit } = await import('../server/ok/force-exit.ts');
  await forceExit(pid);
  context.show({ pid }, () => '');
}

async function listRunning(context: CommandContext, directory: string): Promise<void> {
  const { runningCommands } = await import('../server/ok/ok-record.ts');
  const running = runningCommands(directory);
  context.show(
    () => running.map(({ command, name, runner }) => ({ name, pid: runner.pid, command })),
    () => {
      const rows = running.map(({ command, name, runner }) => [name, String(runner.pid), command.join(' ')]);
      return rows.length === 0 ? '' : formatTable(columns, rows);
    },
  );
}
