import type { Command } from 'commander';
import { pruneImage } from '../image/prune-image.ts';
import type { Verdict } from '../image/retention.ts';
import { settleImage } from '../image/settle-image.ts';
import { referenceOf } from '../store/image-table.ts';
import type { CommandModule } from './framework/command-module.ts';
import { parseCount } from './input/count.ts';
import { formatTable } from './output/format-table.ts';
import { localTime } from './output/local-time.ts';
import { firstLine } from './output/message-lines.ts';
import { plural } from './output/plural.ts';

interface Options {
  readonly keepLast?: number;
  readonly keepHourly?: number;
  readonly keepDaily?: number;
  readonly keepWeekly?: number;
  readonly keepMonthly?: number;
  readonly keepYearly?: number;
  readonly keepTag?: readonly string[];
  readonly includeTagged?: boolean;
  readonly dryRun?: boolean;
}

const help = `
Every rule looks at all snapshots on its own, and a snapshot stays when any rule
keeps it: --keep-daily 7 keeps the last snapshot of each of the last seven days
that have one, days and weeks being local and weeks beginning on Monday. The
newest snapshot always stays, and so do tagged ones without --include-tagged.`;

/** `varve prune IMAGE --keep-… N` */
export const pruneCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve prune web --keep-last 3 --keep-daily 7 --keep-weekly 4 --dry-run', 'show what would stay and why'],
    ['varve prune web --keep-monthly 12 && varve gc', 'do it, and give the space back'],
  ],
  completes: ['image'],
  configure: (command: Command) =>
    command
      .argument('<image>', 'the image')
      .option('--keep-last <n>', 'keep the last n snapshots', parseCount)
      .option('--keep-hourly <n>', 'keep the last one of each of the last n hours that have one', parseCount)
      .option('--keep-daily <n>', 'the same for days', parseCount)
      .option('--keep-weekly <n>', 'the same for weeks', parseCount)
      .option('--keep-monthly <n>', 'the same for months', parseCount)
      .option('--keep-yearly <n>', 'the same for years', parseCount)
      .option('--keep-tag <tag>', 'keep the snapshot with this tag; may be repeated', collect)
      .option('--include-tagged', 'let tagged snapshots be removed too')
      .option('-n, --dry-run', 'only show what would be done')
      .addHelpText('after', help),
  async run(context, [image], options) {
    await using store = await context.openStore();
    const policy = {
      last: options.keepLast,
      hourly: options.keepHourly,
      daily: options.keepDaily,
      weekly: options.keepWeekly,
      monthly: options.keepMonthly,
      yearly: options.keepYearly,
      tags: options.keepTag,
      includeTagged: options.includeTagged,
    };
    await settleImage(store, image);
    const verdicts = pruneImage(store, image, policy, options);
    const removed = verdicts.filter(({ reasons }) => reasons.length === 0);
    context.show({ dryRun: options.dryRun ?? false, snapshots: verdicts.map(verdictJson) }, () =>
      [verdictTable(verdicts), '', summary(image, removed.length, verdicts.length, options.dryRun)].join('\n'),
    );
  },
};

function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

function verdictJson({ snapshot, reasons }: Verdict): object {
  const { time, message } = snapshot;
  const reference = referenceOf(snapshot);
  return { reference, time: new Date(time).toISOString(), message, keep: reasons.length > 0, reasons };
}

function verdictTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ snapshot, reasons }) => [
    reasons.length > 0 ? 'keep' : 'remove',
    referenceOf(snapshot),
    localTime(snapshot.time),
    reasons.join(', '),
    firstLine(snapshot.message),
  ]);
  return formatTable(
    [{ title: '' }, { title: 'SNAPSHOT' }, { title: 'TIME' }, { title: 'WHY' }, { title: 'MESSAGE' }],
    rows,
  );
}

function summary(image: string, removed: number, all: number, dryRun = false): string {
  const kept = `${all - removed} kept`;
  if (removed === 0) return `Nothing to remove of ${image}; ${kept}.`;
  if (dryRun) return `Would remove ${plural(removed, 'snapshot')} of ${image}; ${kept}.`;
  return `Removed ${plural(removed, 'snapshot')} of ${image}; ${kept}. varve gc gives their space back.`;
}
