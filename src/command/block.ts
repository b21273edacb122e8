import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import { type BlockChange, type ByteRange, changeBlocks } from '../image/host-blocks/change-blocks.ts';
import { hostBlocks } from '../image/host-blocks/host-blocks.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { parseRange } from './input/range.ts';
import { exactSize } from './output/exact-size.ts';
import { formatFields } from './output/format-fields.ts';

interface Options {
  readonly force?: boolean;
}

/** How each change is told of when it is done. */
const done: Readonly<Record<BlockChange, string>> = {
  discard: 'discarded',
  zero: 'zeroed',
  'secure-discard': 'discarded securely',
};

/** `varve block caps|discard|zero|secure-discard DEVICE [RANGE]` */
export const blockCommand: CommandModule<[string, string, string | undefined], Options> = {
  examples: [
    ['varve block caps /dev/sdb', 'show what a block device can discard and zero, and in which units'],
    ['varve block discard /dev/sdb all', 'give back all that a device holds'],
    ['varve block zero /dev/sdb 1M+64K', 'make 64 KiB zeros, from 1 MiB on'],
  ],
  completes: [undefined, 'file'],
  configure: (command: Command) =>
    command
      .argument('<action>', 'caps, discard, zero or secure-discard')
      .argument('<device>', 'a block device: /dev/sdb')
      .argument('[range]', '1M+4K (offset and length), 0-10M (from and to), or all')
      .option('--force', 'even if it is mounted, or has a partition table'),
  async run(context, [action, device, range], options) {
    if (action === 'caps') return showCaps(context, device, range);
    if (!Object.hasOwn(done, action)) {
      throw new VarveError('INVALID', `there is no block ${action}; there are caps, discard, zero and secure-discard`);
    }
    if (range === undefined) throw new VarveError('INVALID', `which range? give one such as 1M+4K, 0-10M, or all`);
    const wanted = parseRange(range);
    const signal = await context.startWork();
    const change = action as BlockChange;
    const changed = await changeBlocks(device, change, wanted, { ...options, signal });
    context.show({ device, action, ...changed }, () =>
      [`${done[change]} ${rangeText(changed.range)} of ${device}`, ...changed.edges.map(edgeText)].join('\n'),
    );
  },
};

function showCaps(context: CommandContext, path: string, range: string | undefined): void {
  if (range !== undefined) throw new VarveError('INVALID', 'block caps takes no range');
  const { sysfs: _sysfs, ...blocks } = hostBlocks(path);
  // The kernel says 0 whatever the device does; what is discarded has to be read to know.
  context.show({ ...blocks, zeroesAfterDiscard: 'unknown' }, () =>
    formatFields([
      ['Device', path],
      ['Size', exactSize(blocks.size)],
      ['Sectors', `${blocks.logicalSectorSize} bytes, ${blocks.physicalSectorSize} physically`],
      ['Writable', blocks.readOnly ? 'no' : 'yes'],
      ['Rotates', blocks.rotational ? 'yes' : 'no'],
      ['Discard', blocks.discardMaximum === 0 ? 'no' : `up to ${exactSize(blocks.discardMaximum)} at once`],
      ['Granularity', blocks.discardMaximum === 0 ? undefined : granularityText(blocks)],
      ['Zero', blocks.zeroMaximum === 0 ? 'by writing zeros' : `up to ${exactSize(blocks.zeroMaximum)} at once`],
      ['Zeros after discard', 'unknown'],
    ]),
  );
}

function granularityText(blocks: { readonly discardGranularity: number; readonly discardAlignment: number }): string {
  const { discardAlignment, discardGranularity } = blocks;
  const size = exactSize(discardGranularity);
  return discardAlignment === 0 ? size : `${size}, from byte ${discardAlignment} on`;
}

function rangeText({ length, offset }: ByteRange): string {
  return `${exactSize(length)} at ${offset}`;
}

function edgeText(edge: ByteRange): string {
  return `left as it was, because it is no whole block: ${rangeText(edge)}`;
}
