import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import { log } from '../log/log.ts';
import { printable } from '../log/printable.ts';
import { rebuildCatalog } from '../store/rebuild-catalog.ts';
import type { Store } from '../store/store.ts';
import { bytesToVerify, type Problem, type VerifyReport, verifyStore } from '../store/verify-store.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { plural } from './output/plural.ts';

interface Options {
  readonly rebuild?: boolean;
}

/** `varve verify` */
export const verifyCommand: CommandModule<[], Options> = {
  examples: [
    ['varve verify', 'read everything in the store and check it; status 10 says that something is wrong'],
    ['varve verify --rebuild', 'make a lost or damaged catalog anew from packs and manifests, then check'],
  ],
  configure: (command: Command) =>
    command.option('--rebuild', 'first make the catalog anew; the old one is kept as catalog.sqlite.old'),
  async run(context, _args, options) {
    const signal = await context.startWork();
    const rebuilt = options.rebuild ? await rebuild(context, signal) : undefined;
    await using store = await context.openStore();
    const report = await log.scope('verify', () => verify(store, signal));
    const { problems, leftovers } = report;
    context.show({ ...report, problems: problems.map(problemJson), ...(rebuilt && { rebuilt }) }, () =>
      [
        ...(rebuilt ? rebuiltLines(rebuilt) : []),
        ...problems.flatMap(problemLines),
        summary(report),
        ...(leftovers.length === 0
          ? []
          : [`${plural(leftovers.length, 'file')} left over by work that was cut off; varve gc deletes them.`]),
      ].join('\n'),
    );
    if (problems.length > 0) {
      throw new VarveError(
        'CORRUPT',
        `the store ${store.path} is damaged: ${plural(problems.length, 'problem')}, listed above`,
      );
    }
  },
};
type Rebuilt = Awaited<ReturnType<typeof rebuildCatalog>>;

async function rebuild(context: CommandContext, signal: AbortSignal): Promise<Rebuilt> {
  return await log.scope('rebuild the catalog', () => rebuildCatalog(context.storePath, { signal }));
}

async function verify(store: Store, signal: AbortSignal): Promise<VerifyReport> {
  using progress = log.progress({ label: 'verifying', totalBytes: bytesToVerify(store) });
  return await verifyStore(store, { signal, onProgress: (position) => progress.advance(position - progress.bytes) });
}

function rebuiltLines({ packCount, imageCount, snapshotCount, skipped }: Rebuilt): string[] {
  const what = `${plural(imageCount, 'image')} with ${plural(snapshotCount, 'snapshot')}, from ${plural(packCount, 'pack')}`;
  return [`The catalog is new: ${what}.`, ...skipped.map((line) => `Skipped: ${printable(line)}`)];
}

function problemJson({ message, damaged }: Problem): object {
  return { message, damaged: damaged.map(({ image, number, offset, length }) => ({ image, number, offset, length })) };
}

function problemLines({ message, damaged }: Problem): string[] {
  const ranges = damaged.map(
    ({ image, number, offset, length }) => `  ${image}@${number}: ${formatSize(length)} at ${offset} cannot be read`,
  );
  return [printable(message), ...(ranges.length === 0 ? ['  no snapshot is hurt'] : ranges)];
}

function summary({ packCount, chunkCount, snapshotCount, bytes, problems }: VerifyReport): string {
  const what = `${plural(snapshotCount, 'snapshot')}, ${plural(chunkCount, 'chunk')}, ${plural(packCount, 'pack')}, ${formatSize(bytes)}`;
  return `Checked ${what}: ${problems.length === 0 ? 'all is well' : plural(problems.length, 'problem')}.`;
}
