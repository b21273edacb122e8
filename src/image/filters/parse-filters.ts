import { VarveError } from '../../base/varve-error.ts';
import { readOnlyFilter } from '../../filter/read-only.ts';
import { copyOnWrite } from './copy-on-write.ts';
import { errorOver, retryOver } from './fault-filters.ts';
import { FilterArguments } from './filter-arguments.ts';
import type { DiskFilter, FileFilter, FilterChain } from './filter-chain.ts';
import { type FilterName, filterNames } from './filter-names.ts';
import { logOver } from './log-filter.ts';
import { offsetFilter, partitionFilter, sizeFilter } from './size-filters.ts';
import { cacheOver, delayOver, rateOver, readAheadOver } from './speed-filters.ts';
import { splitFiles } from './split-files.ts';
import { statsOver } from './stats-filter.ts';
import { tarFile } from './tar-file.ts';

type Name = (typeof filterNames)[number]['name'];
type FileFilterName = 'split' | 'tar';
type Maker<T> = (args: FilterArguments, text: string | undefined) => T;

const fileFilters: Readonly<Record<FileFilterName, Maker<Pick<FileFilter, 'open'>>>> = {
  split: splitFiles,
  // A name in an archive, as that of a file, is taken as it is, with commas and equal signs.
  tar: (args, text) => tarFile(args.whole(text)),
};

const diskFilters: Readonly<Record<Exclude<Name, FileFilterName>, Maker<Pick<DiskFilter, 'apply'>>>> = {
  partition: partitionFilter,
  offset: offsetFilter,
  truncate: sizeFilter,
  readonly: () => ({ apply: readOnlyFilter }),
  cow: copyOnWrite,
  cache: cacheOver,
  readahead: readAheadOver,
  rate: rateOver,
  delay: delayOver,
  error: errorOver,
  retry: retryOver,
  log: (args, text) => logOver(args.whole(text)),
  stats: statsOver,
};

/** What nothing that is written gets through. */
const keepingWrites: ReadonlySet<string> = new Set(['cow', 'readonly']);

/** What reading filters may do with what they have to say. */
export interface ParseFiltersOptions {
  /** Takes what `stats` and `log` have to say when a disk is closed. */
  readonly report: (text: string) => void;
}

/**
 * The filters that are written as `partition=2`, `cow`, `delay=10ms`: the first one is over the disk, each next one over
 * the one before it. `split` and `tar` are about the file that the disk is in, and come before all others.
 *
 * @throws VarveError `INVALID` that names the filter, the argument, and what is allowed
 */
export function parseFilters(specs: readonly string[], { report }: ParseFiltersOptions): FilterChain {
  const chain = { fileFilters: [] as FileFilter[], diskFilters: [] as DiskFilter[], report };
  for (const spec of specs) {
    const [, name = '', text] = /^([^=]*)(?:=(.*))?$/s.exec(spec) ?? [];
    const known = filterNames.find((each) => each.name === name);
    if (known === undefined) throw unknownFilter(spec);
    const args = new FilterArguments(spec, text, known.usage);
    if (isFileFilter(known.name)) {
      if (chain.diskFilters.length > 0)
        throw args.invalid('it is about the file, and comes before filters of the disk');
      chain.fileFilters.push({ spec, ...made(fileFilters[known.name], args, text) });
    } else {
      const filter = made(diskFilters[known.name], args, text);
      chain.diskFilters.push({ spec, keepsWrites: keepingWrites.has(name), ...filter });
    }
  }
  return chain;
}

function made<T>(make: Maker<T>, args: FilterArguments, text: string | undefined): T {
  const filter = make(args, text);
  args.finish();
  return filter;
}

function isFileFilter(name: Name): name is FileFilterName {
  return name in fileFilters;
}

function unknownFilter(spec: string): VarveError {
  const names = filterNames.map(({ name }: FilterName) => name).join(', ');
  return new VarveError('INVALID', `there is no --filter ${JSON.stringify(spec)}; there are ${names}`);
}
