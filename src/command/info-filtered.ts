import type { FilterChain } from '../image/filters/filter-chain.ts';
import { openDisk } from '../image/open-disk.ts';
import type { CommandContext } from './framework/command-context.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { exactSize } from './output/exact-size.ts';
import { formatFields } from './output/format-fields.ts';

/** What `varve info` prints of a disk that is seen through filters. */
export async function showFiltered(
  context: CommandContext,
  argument: string,
  { filters, format }: { readonly filters: FilterChain; readonly format: string | undefined },
): Promise<void> {
  const signal = await context.startWork();
  await using store = new LazyStore(context);
  await using disk = await openDisk(argument, { filters, format, store: store.open, signal });
  const { device, kind, label } = disk;
  const specs = [...filters.fileFilters, ...filters.diskFilters].map(({ spec }) => spec);
  const found = disk.kind === 'snapshot' ? undefined : disk.information.format;
  const json = { kind, path: label, filters: specs, format: found, virtualSize: device.size };
  context.show(json, () =>
    formatFields([
      ['Disk', label],
      ['Through', specs.join(', ')],
      ['Format', found],
      ['Disk size', exactSize(device.size)],
    ]),
  );
}
