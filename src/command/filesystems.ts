import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import type { UsedVolume } from '../guest/list-volumes.ts';
import { printable } from '../log/printable.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { addInsideOptions, type InsideOptions, insideAccess, insideDisk } from './input/inside-options.ts';
import { type Column, formatTable } from './output/format-table.ts';

const columns: readonly Column[] = [
  { title: 'NAME' },
  { title: 'SIZE', align: 'right' },
  { title: 'USED', align: 'right' },
  { title: 'TYPE' },
  { title: 'VERSION' },
  { title: 'LABEL' },
  { title: 'UUID' },
  { title: 'MOUNTED ON' },
];

/** `varve filesystems DISK` */
export const filesystemsCommand: CommandModule<[string], InsideOptions> = {
  examples: [
    ['varve filesystems web', 'which file systems are on a disk, and where its system mounts them'],
    ['varve filesystems ./disk.qcow2 --json', 'for a program'],
    ['varve filesystems ./laptop.raw --key-file key', 'and what is in its encrypted volumes'],
  ],
  completes: ['disk'],
  configure: (command: Command) => addInsideOptions(command.argument(...insideDisk)),
  async run(context, [disk], options) {
    const { listDiskVolumes } = await import('../guest/list-disk-volumes.ts');
    await using store = new LazyStore(context);
    const access = await insideAccess(store, options);
    // Nobody is asked for a passphrase to learn that something is encrypted.
    const { keyFile } = options;
    const volumes = await listDiskVolumes(disk, { ...access, opensVolumes: keyFile !== undefined });
    context.show(
      () => volumes.map(volumeJson),
      () => [formatTable(columns, volumes.map(cells)), ...problemsOf(volumes)].join('\n'),
    );
  },
};

function cells({ directory = '', identity, length, name, used }: UsedVolume): string[] {
  const { label = '', type = '', uuid = '', version = '' } = identity ?? {};
  const usage = used === undefined ? '' : formatSize(used);
  return [name, formatSize(length), usage, type, version, label, uuid, directory];
}

/** A line for each volume that cannot be read. */
function problemsOf(volumes: readonly UsedVolume[]): string[] {
  return volumes.flatMap(({ problem }) => (problem === undefined ? [] : [printable(problem.message)]));
}

function volumeJson(volume: UsedVolume): object {
  const { aliases, directory, identity, isEncrypted, length, madeOf, name, offset, partition, problem, used } = volume;
  const { blockSize, label, size, type, uuid, version } = identity ?? {};
  return {
    ...{ name, aliases, madeOf, offset, length, type, version, label, uuid, size, used, blockSize },
    ...{ partitionUuid: partition?.id, partitionLabel: partition?.name, encrypted: isEncrypted },
    ...{ mountedOn: directory, problem: problem?.message },
  };
}
