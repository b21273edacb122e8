import { type Command, Option } from 'commander';
import type { FilterChain } from '../../image/filters/filter-chain.ts';
import { filterNames } from '../../image/filters/filter-names.ts';
import { printable } from '../../log/printable.ts';

/** Declares `--filter`, which may be given several times. */
export function addFilterOption(command: Command): Command {
  const description = 'see the disk through a filter (docs/filters.md); of several, each is over the one before';
  const option = new Option('--filter <filter>', description).argParser(
    (spec: string, before: readonly string[] | undefined) => [...(before ?? []), spec],
  );
  // For help and completion; what may stand behind them is for the filter to say.
  option.argChoices = filterNames.map(({ name }) => name);
  return command.addOption(option);
}

/** The filters in the library's terms. What they report goes to standard error. @throws VarveError `INVALID` */
export async function readFilters(specs: readonly string[] | undefined): Promise<FilterChain | undefined> {
  if (specs === undefined) return undefined;
  // Loaded by whoever needs it: most disks are seen without filters.
  const { parseFilters } = await import('../../image/filters/parse-filters.ts');
  const report = (text: string) => process.stderr.write(`${text.split('\n').map(printable).join('\n')}\n`);
  return parseFilters(specs, { report });
}
