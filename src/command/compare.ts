import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import { type Comparison, compareDisks } from '../image/compare-disks.ts';
import { type Disk, openDisk } from '../image/open-disk.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { type AccessOptions, accessOptions, addAccessOptions } from './input/access-options.ts';
import { exactSize } from './output/exact-size.ts';

interface Options extends AccessOptions {
  readonly strict?: boolean;
  readonly format?: string;
}

/** `varve compare A B` */
export const compareCommand: CommandModule<[string, string], Options> = {
  examples: [
    ['varve compare web@1 web@2', 'tell whether two snapshots hold the same, and where they differ first'],
    ['varve compare web ./web.qcow2', 'the same of a snapshot and a disk file; the exit status is 1 if they differ'],
  ],
  completes: ['disk', 'disk'],
  configure: (command: Command) =>
    addAccessOptions(
      command
        .argument('<a>', 'web, web@3, ./disk.qcow2, /dev/sdb, nbd://…, https://…')
        .argument('<b>', 'what to compare it with')
        .option('--strict', 'disks of different sizes differ, even if the rest of the larger one is zero')
        .option(
          '--format <names>',
          'read disk files in this format, whatever they look like; "raw,qcow2" for each its own',
        ),
    ),
  async run(context, [argumentA, argumentB], options) {
    const { format, strict } = options;
    const [formatA, formatB = formatA, ...rest] = format?.split(',') ?? [];
    if (rest.length > 0) throw new VarveError('INVALID', '--format takes one name, or two with a comma between');
    const signal = await context.startWork();
    await using store = new LazyStore(context);
    const access = { ...(await accessOptions(options)), store: store.open, signal };
    await using a = await openDisk(argumentA, { ...access, format: formatA });
    await using b = await openDisk(argumentB, { ...access, format: formatB });
    const result = await compareDisks(a, b, { strict, signal });
    const { identical, offset = null } = result;
    const json = { identical, offset, disks: [a, b].map(({ label, device }) => ({ label, size: device.size })) };
    context.show(json, () => resultText(result, a, b));
    return identical ? 0 : 1;
  },
};

function resultText({ identical, offset, sizesDiffer }: Comparison, a: Disk, b: Disk): string {
  const names = `${a.label} and ${b.label}`;
  if (offset !== undefined) return `${names} differ, first at byte ${offset}`;
  const sizes = `${exactSize(a.device.size)} and ${exactSize(b.device.size)}`;
  if (!identical) return `${names} differ in size: ${sizes}`;
  return sizesDiffer ? `identical, but for their sizes: ${sizes}, the rest being zeros` : 'identical';
}
