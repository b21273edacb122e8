import { VarveError } from '../base/varve-error.ts';
import { findMachine } from '../image/machine/find-machine.ts';
import { machinesHolder } from '../image/machine/hold-machines.ts';
import { knownMachines } from '../image/machine/machine-overlays.ts';
import { type MachineDisks, openMachineDisks } from '../image/machine/open-machine-disks.ts';
import type { MachineRecord } from '../store/machine/machine-record.ts';
import type { Store } from '../store/store.ts';
import type { ShowFilesOptions } from './diff-files.ts';
import { openGuests, orNothing } from './diff-guests.ts';
import { showChangedRanges } from './diff-ranges.ts';
import { askMachines } from './framework/ask-machines.ts';
import type { CommandContext } from './framework/command-context.ts';
import { accessOptions } from './input/access-options.ts';
import type { NetbootOptions, NetbootVerb } from './netboot-verb.ts';

const fileOptions = ['patch', 'stat', 'times', 'meaning'] as const;

/** `varve netboot diff MACHINE` */
export const diffVerb: NetbootVerb = {
  words: ['MACHINE'],
  options: [...fileOptions, 'renames', 'ranges', 'exitCode', 'keyFile'],
  async run(context, [machine = ''], options) {
    const given = fileOptions.find((name) => options[name]);
    if (options.ranges && given !== undefined) {
      throw new VarveError('INVALID', `--${given} does not go with --ranges: ranges are not of files`);
    }
    const signal = await context.startWork();
    await using stack = new AsyncDisposableStack();
    const store = stack.use(await context.openStore());
    const record = recordOf(store, machine);
    // What it wrote last may be in the memory of who serves it.
    const answer = await askMachines(store, 'flush', { machine: record.mac });
    if (answer?.isConnected) context.remark(`${machine} is running: this is what it had written when this began`);
    const disks = await openMachineDisks(store, record, stack);
    const same = options.ranges ? undefined : await showFiles(context, { options, disks, stack, signal });
    const isSame = same ?? showChangedRanges(context, record.name ?? record.mac, disks.ranges);
    return options.exitCode && !isSame ? 1 : 0;
  },
};

function recordOf(store: Store, machine: string): MachineRecord {
  const records = knownMachines(store);
  const record = records.get(findMachine(records.values(), machine));
  if (record !== undefined) return record;
  const how = machinesHolder(store) === undefined ? '' : ' yet';
  throw new VarveError('NOT_FOUND', `machine ${machine} has not booted from this store${how}`);
}

interface Compared {
  readonly options: NetbootOptions;
  readonly disks: MachineDisks;
  readonly stack: AsyncDisposableStack;
  readonly signal: AbortSignal;
}

/** Whether no file differs; undefined where files cannot be told, and nobody asked for them. */
async function showFiles(
  context: CommandContext,
  { disks: { base, disk, ranges }, options, signal, stack }: Compared,
): Promise<boolean | undefined> {
  const wantsFiles = fileOptions.some((name) => options[name]);
  const { askSecret } = await accessOptions(options);
  const guests = await openGuests([base, disk], { context, stack, wantsFiles, askSecret });
  if (guests === undefined) return undefined;
  const files = await import('./diff-files.ts');
  const uncommitted = { image: base.label, ranges };
  const shown: ShowFilesOptions = { ...options, ...guests, disks: [base, disk], uncommitted, stack, signal };
  return await orNothing(context, wantsFiles, () => files.showFiles(context, shown));
}
