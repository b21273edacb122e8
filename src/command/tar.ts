import { type Command, Option } from 'commander';
import { formatSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import { globMatcher } from '../guest/find/glob.ts';
import { type GuestEntry, nameOf } from '../guest/guest-tree.ts';
import type { TarSummary } from '../guest/tar/write-tar.ts';
import { writeNewFile } from '../image/new-file.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { splitInnerPath } from './input/inner-path.ts';
import { addInsideOptions, type InsideOptions, openInside } from './input/inside-options.ts';
import { type Compression, compressedSink, compressions } from './output/compressed-sink.ts';
import { plural } from './output/plural.ts';
import { Problems } from './output/problems.ts';
import { writeBytes } from './output/write-bytes.ts';

interface Options extends InsideOptions {
  readonly compress?: Compression;
  readonly force?: boolean;
  readonly exclude?: readonly string[];
  readonly oneFileSystem?: boolean;
}

/** `varve tar DISK[:PATH] [TARGET]` */
export const tarCommand: CommandModule<[string, string | undefined], Options> = {
  examples: [
    ['varve tar web:/etc | tar -tvf -', 'a directory of a disk, for another program'],
    ['varve tar web@3 ./web.tar.zst', 'all files of a disk, compressed'],
    ['varve tar --exclude cache web:/var | ssh host tar -xC /srv/var', 'without what is called so'],
  ],
  completes: ['disk', 'file'],
  configure: (command: Command) =>
    addInsideOptions(
      command
        .argument('<disk[:path]>', 'a disk, or a file or directory in it: web:/etc, ./disk.qcow2:/home')
        .argument('[target]', 'a file, or - for standard output, as it is where nothing is given')
        .addOption(
          new Option(
            '--compress <algorithm>',
            'compress it; else if the target ends with .zst, .gz, .tzst or .tgz',
          ).choices(compressions),
        )
        .option('--force', 'replace a file')
        .option(
          '--exclude <pattern>',
          'leave out what is called so, with all below it',
          (pattern, before: string[] = []) => [...before, pattern],
        )
        .option('-x, --one-file-system', 'leave out what is mounted below'),
    ),
  async run(context, [argument, target = '-'], options) {
    if (target === '-' && process.stdout.isTTY) {
      throw new VarveError(
        'INVALID',
        'cannot write an archive to the terminal; redirect standard output, or name a file',
      );
    }
    const { disk, inner = '/' } = splitInnerPath(argument);
    const problems = new Problems(context);
    const archive = async (fd: number, compression: Compression | undefined) =>
      await writeArchive(context, { disk, inner, fd, compression, options, problems });
    if (target === '-') {
      await archive(1, options.compress);
      return problems.exitStatus;
    }
    let summary: TarSummary = { members: 0, length: 0 };
    await writeNewFile(target, { force: options.force ?? false }, async (file) => {
      summary = await archive(file.fd, options.compress ?? compressionOf(target));
    });
    const { length, members } = summary;
    context.show({ path: argument, target, ...summary }, () => {
      return `${argument} written to ${target}: ${plural(members, 'file')}, ${formatSize(length)} before compression`;
    });
    return problems.exitStatus;
  },
};

/** The compression that a file's name stands for. */
function compressionOf(target: string): Compression | undefined {
  if (/\.(zst|tzst)$/.test(target)) return 'zstd';
  return /\.(gz|tgz)$/.test(target) ? 'gzip' : undefined;
}

interface Archive {
  readonly disk: string;
  readonly inner: string;
  readonly fd: number;
  readonly compression: Compression | undefined;
  readonly options: Options;
  readonly problems: Problems;
}

async function writeArchive(context: CommandContext, archive: Archive): Promise<TarSummary> {
  const { compression, disk, fd, inner, options, problems } = archive;
  const { exclude, oneFileSystem } = options;
  const excluded = exclude?.map((pattern) => globMatcher(pattern));
  await using guest = await openInside(context, disk, options);
  const start = await guest.tree.resolve(inner);
  const { writeTar } = await import('../guest/tar/write-tar.ts');
  const sink = compressedSink(compression, (bytes) => writeBytes(bytes, fd));
  const summary = await writeTar(guest.tree, start, sink.write, {
    oneFileSystem,
    wanted: excluded && (({ path }: GuestEntry) => !excluded.some((fits) => fits(nameOf(path)))),
    onProblem: problems.note,
    onSkipped: (path) => context.remark(`left out: ${path} is a socket, which archives do not hold`),
  });
  await sink.end();
  return summary;
}
