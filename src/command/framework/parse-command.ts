import { Command, CommanderError } from 'commander';
import { VarveError } from '../../base/varve-error.ts';
import type { GlobalOptions } from './command-context.ts';
import type { CatalogueEntry, CommandModule } from './command-module.ts';

/** A command line, taken apart. */
export interface ParsedCommand {
  readonly args: string[];
  readonly options: GlobalOptions;
}

/** The commander command of a module, with everything that is the same for all. */
export function buildCommand(entry: CatalogueEntry, module: CommandModule): Command {
  const command = new Command(`varve ${entry.name}`).description(
    `${entry.summary[0]?.toUpperCase()}${entry.summary.slice(1)}.`,
  );
  module.configure(command);
  return command
    .optionsGroup('Options of every command:')
    .option('--store <path>', 'where the store is')
    .option('--json', 'print the result as JSON')
    .option('-v, --verbose', 'tell everything that happens, on standard error')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', examplesText(module))
    .configureOutput({ writeErr: () => {} })
    .exitOverride();
}

/**
 * Reads a command's arguments and options.
 * @returns `undefined` when help was asked for, and printed
 * @throws INVALID
 */
export function parseCommand(
  command: Command,
  args: readonly string[],
  { takesCommand = false }: Pick<CommandModule, 'takesCommand'> = {},
): ParsedCommand | undefined {
  const end = takesCommand && args.includes('--') ? args.indexOf('--') : args.length;
  try {
    command.parse(args.slice(0, end), { from: 'user' });
    const commandLine = takesCommand ? { command: args.slice(end + 1) } : {};
    return { args: command.args, options: { ...command.opts(), ...commandLine } };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw new VarveError('INVALID', withAdvice(oneLine(error.message), command), { cause: error });
  }
}

function examplesText(module: CommandModule): string {
  const lines = module.examples.map(([commandLine, meaning]) => `  ${commandLine}\n      ${meaning}`);
  return `\nExamples:\n${lines.join('\n')}`;
}

/** Commander's messages begin with "error: " and put what may have been meant on a second line. */
function oneLine(message: string): string {
  return message
    .replace(/^error: /, '')
    .replace(/\n\(Did you mean (.*)\?\)$/s, '; did you mean $1?')
    .replace('. Expected', ': expected')
    .replace(/\.$/, '');
}

function withAdvice(message: string, command: Command): string {
  return message.endsWith('?') ? message : `${message}; see ${command.name()} --help`;
}
