import { VarveError } from '../../base/varve-error.ts';
import { catalogue } from '../catalogue.ts';
import { CommandContext } from './command-context.ts';
import type { CatalogueEntry } from './command-module.ts';
import { guardProcess } from './guard-process.ts';
import { StandardOutput } from './standard-output.ts';

/**
 * Runs what stands on the command line after `varve`.
 * @returns the exit status
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  using _guard = guardProcess(fail);
  try {
    const { options, name, rest } = splitCommandLine(args);
    if (options.includes('--help') || options.includes('-h')) return await showHelp(name);
    if (name === 'help') return await showHelp(rest[0]);
    if (name === undefined) throw new VarveError('INVALID', 'which command? varve --help lists them');
    return await runCommand(await findEntry(name), [...options, ...rest]);
  } catch (error) {
    return await fail(error);
  }
}

async function runCommand(entry: CatalogueEntry, args: readonly string[]): Promise<number> {
  const [{ buildCommand, parseCommand }, module] = await Promise.all([import('./parse-command.ts'), entry.load()]);
  const parsed = parseCommand(buildCommand(entry, module), args, module);
  if (parsed === undefined) return 0;
  const context = new CommandContext(parsed.options, catalogue);
  try {
    if (context.verbose) await context.startLog();
    const status = (await module.run(context, parsed.args, parsed.options)) ?? 0;
    await context.endLog();
    return status;
  } catch (error) {
    return await fail(error, context);
  }
}

/** Loads what only errors need. */
async function fail(error: unknown, context?: CommandContext): Promise<number> {
  const { reportError } = await import('./report-error.ts');
  return await reportError(error, context);
}

async function showHelp(name: string | undefined): Promise<number> {
  if (name !== undefined) return await runCommand(await findEntry(name), ['--help']);
  const { overview } = await import('./overview.ts');
  new StandardOutput().print(overview());
  return 0;
}

interface SplitCommandLine {
  /** What stands before the command's name: options of every command. */
  readonly options: string[];
  readonly name: string | undefined;
  readonly rest: string[];
}

function splitCommandLine(args: readonly string[]): SplitCommandLine {
  let index = 0;
  while (args[index]?.startsWith('-')) {
    const option = args[index] as string;
    if (!/^(--store(=.*)?|--json|-v|--verbose|-h|--help)$/s.test(option)) {
      throw new VarveError('INVALID', `unknown option '${option}' before the command; see varve --help`);
    }
    index += option === '--store' ? 2 : 1;
  }
  return { options: args.slice(0, index), name: args[index], rest: args.slice(index + 1) };
}

async function findEntry(name: string): Promise<CatalogueEntry> {
  const entry = catalogue.find((each) => each.name === name);
  if (entry !== undefined) return entry;
  const { closestWord } = await import('./closest-word.ts');
  const listed = catalogue.filter((each) => each.group !== undefined);
  const meant = listed.find((each) => each.elsewhere?.includes(name))?.name ?? closestWord(name, namesOf(listed));
  const advice = meant === undefined ? 'varve --help lists all' : `did you mean ${meant}?`;
  throw new VarveError('INVALID', `there is no command ${JSON.stringify(name)}; ${advice}`);
}

function namesOf(entries: readonly CatalogueEntry[]): string[] {
  return entries.map((entry) => entry.name);
}
