import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import { type ImportResult, importDisk } from '../image/import-disk.ts';
import { requireSource, sourceName } from '../image/source-name.ts';
import { imageName } from '../store/image-name.ts';
import { referenceOf } from '../store/image-table.ts';
import type { CommandModule } from './framework/command-module.ts';
import { accessOptions, addContentOptions } from './input/access-options.ts';
import { collectDirectories } from './input/chain-options.ts';
import { addDetailsOptions, type DetailsOptions, readDetails } from './input/details.ts';
import { addFilterOption } from './input/filter-option.ts';
import { snapshotJson } from './output/snapshot-json.ts';

interface Options extends DetailsOptions {
  readonly update?: boolean;
  readonly always?: boolean;
  readonly tag?: string;
  readonly format?: string;
  readonly follow?: boolean;
  readonly keyFile?: string;
  readonly member?: string;
  readonly internal?: string;
  readonly allow?: readonly string[];
  readonly live?: boolean;
  readonly reread?: boolean;
  readonly filter?: readonly string[];
}

/** `varve import SOURCE [NAME]` */
export const importCommand: CommandModule<[string, string | undefined], Options> = {
  examples: [
    ['varve import ./debian-12.qcow2', 'make the image debian-12 from a disk file'],
    ['varve import --update ./web.raw web -m "After the upgrade"', 'make the next snapshot of web'],
    ['ssh host cat /dev/vg/web | varve import - web', 'make the image web from what another program gives'],
  ],
  completes: ['file', 'image'],
  configure: (command: Command) =>
    addContentOptions(
      addDetailsOptions(
        addFilterOption(command)
          .argument('<source>', 'a disk file, a block device, nbd://…, https://…, or - for standard input')
          .argument('[name]', "the image's name; by default the file's, without its endings")
          .option('-u, --update', "make the image's next snapshot, if anything changed")
          .option('--always', 'with --update: make a snapshot even if nothing changed'),
      ),
    )
      .option('-t, --tag <name>', 'also give the snapshot this name')
      .option('--format <name>', 'read the source in this format, whatever its content looks like')
      .option('--follow', 'also read the files that the image builds on')
      .option('--allow <directory>', 'read those in this directory, or below; may be given again', collectDirectories)
      .option('--live', 'take a file that changes meanwhile as it comes')
      .option('--reread', 'read a file even if it has not changed since it was imported before'),
  async run(context, [source, givenName], options) {
    const name = nameFor(source, givenName);
    if (source === '-') refuseBusyInput(options);
    else await requireSource(source);
    const details = await readDetails(options);
    const signal = await context.startWork();
    await using store = await context.openStore({ create: options.update !== true });
    const stream = source === '-' ? process.stdin : source;
    const { update, always, tag, format, live, reread } = options;
    const how = { ...(await accessOptions(options)), update, always, tag, format, live, reread };
    const result = await importDisk(store, stream, { ...how, ...details, name, signal });
    context.show({ ...snapshotJson(result.snapshot), unchanged: result.unchanged }, () => resultText(result));
  },
};

function nameFor(source: string, name: string | undefined): string {
  if (name !== undefined) return imageName(name);
  if (source !== '-') return sourceName(source);
  throw new VarveError('INVALID', 'what is the image to be called? write varve import - NAME');
}

function refuseBusyInput({ file }: Options): void {
  if (file === '-') throw new VarveError('INVALID', 'standard input cannot be both the disk and the message');
  if (process.stdin.isTTY) throw new VarveError('INVALID', 'cannot import from the terminal; pipe a disk into this');
}

function resultText({ snapshot, unchanged }: ImportResult): string {
  const { size, statistics } = snapshot;
  if (unchanged) return `${snapshot.image} is unchanged: ${referenceOf(snapshot)} holds the same`;
  const { dataLength, addedLength, storedLength } = statistics;
  const added =
    addedLength === 0 ? 'none of it new' : `${formatSize(addedLength)} new, stored in ${formatSize(storedLength)}`;
  // The last chunk may reach past the end of the disk.
  const data = formatSize(Math.min(dataLength, size));
  return `${referenceOf(snapshot)} imported: ${formatSize(size)}, ${data} of it data, ${added}`;
}
