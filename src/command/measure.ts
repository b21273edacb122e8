import type { Command } from 'commander';
import { parseSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import { measureDisk } from '../image/measure-disk.ts';
import { openDisk } from '../image/open-disk.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { type AccessOptions, accessOptions, addAccessOptions } from './input/access-options.ts';
import { addLayoutOptions, type LayoutOptions, targetOptions } from './input/target-options.ts';
import { exactSize } from './output/exact-size.ts';
import { formatFields } from './output/format-fields.ts';

interface Options extends AccessOptions, LayoutOptions {
  readonly from?: string;
  readonly to: string;
  readonly size?: number;
}

/** `varve measure DISK --to FORMAT` */
export const measureCommand: CommandModule<[string | undefined], Options> = {
  examples: [
    ['varve measure ./disk.raw --to qcow2', 'how large disk.raw would be as a qcow2 file'],
    ['varve measure --size 1T --to qcow2', 'how large an empty disk of that size would be, and a full one'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addAccessOptions(
      addLayoutOptions(
        command
          .argument('[disk]', './disk.raw, /dev/sdb, web, web@3, nbd://…, https://…')
          .requiredOption('--to <format>', 'the format of the file')
          .option('--size <size>', 'measure for an empty disk of this size', parseSize)
          .option('--from <format>', 'read a disk file in this format, whatever its content looks like'),
      ),
    ),
  async run(context, [argument], options) {
    if ((argument === undefined) === (options.size === undefined)) {
      throw new VarveError('INVALID', 'measure what? name a disk, or give --size, one of the two');
    }
    const signal = await context.startWork();
    const { from, to } = options;
    const layout = { ...targetOptions(options), signal };
    await using store = new LazyStore(context);
    await using disk =
      argument === undefined
        ? undefined
        : await openDisk(argument, { ...(await accessOptions(options)), store: store.open, format: from, signal });
    const measure = await measureDisk(disk ?? options.size ?? 0, to, layout);
    context.show({ format: to, ...measure }, () =>
      formatFields([
        ['Required', exactSize(measure.required)],
        ['Fully allocated', exactSize(measure.fullyAllocated)],
      ]),
    );
  },
};
