import type { Command, Option } from 'commander';
import type { CatalogueEntry, CompletionKind } from '../framework/command-module.ts';
import { buildCommand } from '../framework/parse-command.ts';
import type { Proposal, Proposals } from './proposal.ts';

/** Looks up what stands in the store: images, or where the word has an `@`, snapshots of that image. */
export type ProposeNames = (kind: CompletionKind, word: string, storePath: string | undefined) => Promise<Proposal[]>;

/**
 * What the last of `words`, which stand after `varve` on a command line, may become. It may be empty; the ones before
 * it are whole.
 */
export async function propose(
  catalogue: readonly CatalogueEntry[],
  words: readonly string[],
  proposeNames: ProposeNames,
): Promise<Proposals> {
  const typed = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const nameIndex = commandIndex(before);
  if (nameIndex < 0) return proposeFirst(catalogue, before.at(-1), typed);
  if (before[nameIndex] === 'help') return matching(typed, commandProposals(catalogue));
  const entry = catalogue.find((each) => each.name === before[nameIndex]);
  if (entry === undefined) return nothing;
  return await proposeFor(entry, before, nameIndex, typed, proposeNames);
}

function proposeFirst(catalogue: readonly CatalogueEntry[], last: string | undefined, typed: string): Proposals {
  if (last === '--store' || typed.startsWith('--store=')) return { proposals: [], files: true };
  const options = ['--help', '--json', '--store', '--verbose', '--version'];
  const proposals = options.map((value) => ({ value, description: '' }));
  return matching(typed, typed.startsWith('-') ? proposals : commandProposals(catalogue));
}

const nothing: Proposals = { proposals: [], files: false };

async function proposeFor(
  entry: CatalogueEntry,
  before: readonly string[],
  nameIndex: number,
  typed: string,
  proposeNames: ProposeNames,
): Promise<Proposals> {
  const module = await entry.load();
  const command = buildCommand(entry, module);
  const { argumentCount, pending } = readWords(command, before.slice(nameIndex + 1));
  if (pending !== undefined) return proposeValue(pending, typed);
  const assigned = /^(--[a-z-]+)=/.exec(typed)?.[1];
  if (assigned !== undefined) return proposeAssigned(command, assigned, typed);
  if (typed.startsWith('-')) return matching(typed, optionProposals(command));
  const argument = command.registeredArguments[argumentCount] ?? lastIfVariadic(command);
  if (argument === undefined) return nothing;
  const choices = argument.argChoices?.map((value) => ({ value, description: '' }));
  if (choices !== undefined) return matching(typed, choices);
  const kind = module.completes?.[command.registeredArguments.indexOf(argument)];
  if (kind === undefined) return nothing;
  const names = kind === 'file' ? [] : await proposeNames(kind, typed, storeOption(before));
  return { ...matching(typed, names), files: kind !== 'image' && kind !== 'snapshot' };
}

/** Where the command's name stands; -1 when it is still to come. */
function commandIndex(words: readonly string[]): number {
  return words.findIndex((word, index) => !word.startsWith('-') && words[index - 1] !== '--store');
}

function storeOption(words: readonly string[]): string | undefined {
  const index = words.findIndex((word) => word === '--store' || word.startsWith('--store='));
  if (index < 0) return undefined;
  return words[index] === '--store' ? words[index + 1] : words[index]?.slice('--store='.length);
}

/** How many arguments `words` hold, and the option at their end whose value is still to come. */
function readWords(command: Command, words: readonly string[]): { argumentCount: number; pending: Option | undefined } {
  let argumentCount = 0;
  let pending: Option | undefined;
  for (const word of words) {
    if (pending !== undefined) pending = undefined;
    else if (word.startsWith('-') && word !== '-')
      pending = command.options.find(({ short, long, required }) => required && (short === word || long === word));
    else argumentCount += 1;
  }
  return { argumentCount, pending };
}

function proposeValue(option: Option, typed: string): Proposals {
  const choices = (option.argChoices ?? []).map((value) => ({ value, description: '' }));
  const takesPath = /<(path|file|directory)>/.test(option.flags);
  return { ...matching(typed, choices), files: takesPath };
}

/** `--store=/srv`: the shell sees what follows the `=` as a word of its own, and the proposal is for all of it. */
function proposeAssigned(command: Command, long: string, typed: string): Proposals {
  const option = command.options.find((each) => each.long === long);
  if (option === undefined) return nothing;
  const { proposals, files } = proposeValue(option, typed.slice(long.length + 1));
  return { proposals: proposals.map((each) => ({ ...each, value: `${long}=${each.value}` })), files };
}

function lastIfVariadic(command: Command): Command['registeredArguments'][number] | undefined {
  const last = command.registeredArguments.at(-1);
  return last?.variadic ? last : undefined;
}

function commandProposals(catalogue: readonly CatalogueEntry[]): Proposal[] {
  const listed = catalogue.filter((entry) => entry.group !== undefined);
  return listed.map(({ name, summary }) => ({ value: name, description: summary }));
}

function optionProposals(command: Command): Proposal[] {
  const options = command.createHelp().visibleOptions(command);
  return options.map(({ long, short, description }) => ({ value: long ?? short ?? '', description }));
}

function matching(typed: string, proposals: readonly Proposal[]): Proposals {
  return { proposals: proposals.filter(({ value }) => value.startsWith(typed)), files: false };
}
