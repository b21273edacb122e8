import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { log } from '../log/log.ts';
import { collectGarbage, type GarbageReport } from '../store/collect-garbage.ts';
import type { CommandModule } from './framework/command-module.ts';
import { plural } from './output/plural.ts';

interface Options {
  readonly dryRun?: boolean;
}

/** `varve gc` */
export const gcCommand: CommandModule<[], Options> = {
  examples: [
    ['varve gc --dry-run', 'how much space removed snapshots still take'],
    ['varve gc', 'give it back; nothing that a snapshot or an open disk needs is touched'],
  ],
  configure: (command: Command) => command.option('-n, --dry-run', 'only show what would be done'),
  async run(context, _args, { dryRun = false }) {
    const signal = await context.startWork();
    await using store = await context.openStore();
    store.requireWritable();
    const report = await log.scope('gc', () => collectGarbage(store, { signal, dryRun }));
    context.show({ dryRun, ...report }, () => summary(report, dryRun));
  },
};

function summary({ deletedChunks, deletedPacks, rewrittenPacks, freedBytes }: GarbageReport, dryRun: boolean): string {
  if (deletedChunks === 0 && freedBytes <= 0) return 'Nothing to collect.';
  const chunks = plural(deletedChunks, 'chunk');
  const packs = `${plural(deletedPacks, 'pack')} deleted, ${rewrittenPacks} rewritten`;
  return dryRun
    ? `Would free about ${formatSize(freedBytes)}: ${chunks} that nothing needs, ${packs}.`
    : `Freed ${formatSize(freedBytes)}: ${chunks} that nothing needed, ${packs}.`;
}
