import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import { type ScheduledVolume, scheduledVolumes } from '../guest/check-schedule.ts';
import { openDisk } from '../image/open-disk.ts';
import type { SnapshotDetails } from '../image/snapshot-details.ts';
import { type CheckRhythm, staggerChecks } from '../server/check/stagger-checks.ts';
import { runTransaction } from '../server/transaction/run-transaction.ts';
import { referenceOf } from '../store/image-table.ts';
import { currentRunPath } from './framework/attachments.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { registerPath } from './framework/register-path.ts';
import { runPath } from './framework/run-path.ts';
import { addDetailsOptions, type DetailsOptions, readDetails } from './input/details.ts';
import { type Column, formatTable } from './output/format-table.ts';
import { localTime } from './output/local-time.ts';

interface Options extends DetailsOptions {
  readonly checks?: number;
  readonly mounts?: number;
  readonly off?: boolean;
}

/** An ext file system of one of the disks. */
interface TunedVolume extends ScheduledVolume {
  readonly disk: string;
}

const dayMs = 86_400_000;
const missingProgram = 127;

const help = `
Of ext2, ext3 and ext4 file systems, through tune2fs. With several disks the
checks are staggered: no two are due on the same day. Disks are changed in a
transaction: all of them or none, an image as its next snapshot. Without an
option it shows when checks are due.`;

/** `varve tune DISK…` */
export const tuneCommand: CommandModule<string[], Options> = {
  examples: [
    ['varve tune web db mail', 'when do file systems want to be checked?'],
    ['varve tune web db mail --checks 30', 'every 30 days, and never two on the same day'],
    ['varve tune ./disk.qcow2 --off', 'never by themselves'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addDetailsOptions(
      command
        .argument('<disks...>', 'images, or disk files')
        .option('--checks <days>', 'have each checked every so many days', parseNumber)
        .option('--mounts <count>', 'and after being mounted so often', parseNumber)
        .option('--off', 'have them never checked by themselves'),
    ).addHelpText('after', help),
  async run(context, disks, options) {
    const rhythm = rhythmOf(options);
    await using store = new LazyStore(context);
    const before = await volumesOf(disks, store);
    if (before.length === 0) throw new VarveError('UNSUPPORTED', `no ext file system is on ${disks.join(', ')}`);
    if (rhythm === undefined) return show(context, before);
    const references = await tune(context, before, rhythm, options, store);
    const after = await volumesOf(disks, store);
    show(context, after);
    if (references.length > 0 && !context.json) context.remark(`${references.join(', ')} made`);
    return undefined;
  },
};

function rhythmOf({ checks, mounts, off }: Options): CheckRhythm | undefined {
  if (off && (checks !== undefined || mounts !== undefined)) {
    throw new VarveError('INVALID', '--off takes all checks away; leave out --checks and --mounts');
  }
  if (off) return { days: 0, mounts: 0 };
  return checks === undefined && mounts === undefined ? undefined : { days: checks, mounts };
}

async function volumesOf(disks: readonly string[], store: LazyStore): Promise<TunedVolume[]> {
  const found: TunedVolume[] = [];
  for (const disk of disks) {
    await using opened = await openDisk(disk, { store: store.open });
    const volumes = await scheduledVolumes(opened.device, { name: opened.label });
    found.push(...volumes.map((volume) => ({ ...volume, disk })));
  }
  return found;
}

/** Changes all in one transaction; the references of the snapshots that it made. */
async function tune(
  context: CommandContext,
  volumes: readonly TunedVolume[],
  rhythm: CheckRhythm,
  options: Options,
  store: LazyStore,
): Promise<string[]> {
  const disks = [...new Set(volumes.map(({ disk }) => disk))];
  const lists = staggerChecks(volumes.length, rhythm, Date.now());
  const script = volumes.map((volume, index) => {
    const path = `"$VARVE_DISK${disks.indexOf(volume.disk) + 1}?offset=${offsetOf(volume)}"`;
    return `tune2fs ${lists[index]!.join(' ')} ${path}`;
  });
  const signal = await context.startWork();
  const { snapshots, status } = await runTransaction({
    // The placeholder has the disks attached as files.
    ...{ disks, command: ['sh', '-c', commandText(script), 'tune', '{}'], check: false, signal, store: store.open },
    details: await detailsOf(options),
    okDirectory: join(runPath(), 'ok'),
    runDirectory: await currentRunPath(context),
    storePath: resolve(context.storePath),
    register: resolve(registerPath(context.storePath)),
  });
  if (status === missingProgram) throw new VarveError('NOT_FOUND', 'tune2fs is not installed; it is in e2fsprogs');
  if (status !== 0) throw new VarveError('IO', `tune2fs failed with status ${status}; nothing was changed`);
  return snapshots.map(referenceOf);
}

async function detailsOf(options: Options): Promise<SnapshotDetails> {
  const { message, ...rest } = await readDetails(options);
  return { ...rest, message: message ?? 'Change when file systems are checked' };
}

function commandText(script: readonly string[]): string {
  return `export TZ=UTC PATH="$PATH:/usr/sbin:/sbin"; { ${script.join(' && ')}; } > /dev/null`;
}

function offsetOf({ disk, name, offset }: TunedVolume): number {
  if (offset !== undefined) return offset;
  throw new VarveError(
    'UNSUPPORTED',
    `cannot tune ${name} of ${disk}: it is no partition, but in a group, an array or encrypted; do so in its system`,
  );
}

const columns: readonly Column[] = [
  { title: 'DISK' },
  { title: 'VOLUME' },
  { title: 'MOUNTS', align: 'right' },
  { title: 'LAST CHECK' },
  { title: 'EVERY', align: 'right' },
  { title: 'DUE' },
];

function show(context: CommandContext, volumes: readonly TunedVolume[]): undefined {
  context.show(volumes.map(volumeJson), () => formatTable(columns, volumes.map(cells)));
}

function cells({ disk, interval, lastCheck, mostMounts, mounts, name }: TunedVolume): string[] {
  const every = interval === undefined ? 'never' : `${Math.round(interval / dayMs)} d`;
  const due = interval === undefined ? '' : localTime(lastCheck + interval).slice(0, 10);
  return [
    disk,
    name,
    mostMounts === undefined ? `${mounts}` : `${mounts}/${mostMounts}`,
    localTime(lastCheck),
    every,
    due,
  ];
}

function volumeJson({ disk, interval, lastCheck, mostMounts, mounts, name }: TunedVolume): object {
  return {
    ...{ disk, volume: name, mounts, mostMounts: mostMounts ?? null },
    lastCheck: new Date(lastCheck).toISOString(),
    days: interval === undefined ? null : interval / dayMs,
    due: interval === undefined ? null : new Date(lastCheck + interval).toISOString(),
  };
}

function parseNumber(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text) || text === '0') return Number(text);
  throw new InvalidArgumentError('Write a number up to 9999.');
}
