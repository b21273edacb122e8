import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import type { MountedVolume } from '../guest/open-guest.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { type AccessOptions, accessOptions, addAccessOptions } from './input/access-options.ts';
import { type Column, formatTable } from './output/format-table.ts';

interface Options extends AccessOptions {
  readonly format?: string;
}

const columns: readonly Column[] = [
  { title: 'NAME' },
  { title: 'SIZE', align: 'right' },
  { title: 'TYPE' },
  { title: 'VERSION' },
  { title: 'LABEL' },
  { title: 'UUID' },
  { title: 'MOUNTED ON' },
];

/** `varve filesystems DISK` */
export const filesystemsCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve filesystems web', 'which file systems are on a disk, and where its system mounts them'],
    ['varve filesystems ./disk.qcow2 --json', 'for a program'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addAccessOptions(
      command
        .argument('<disk>', 'the disk: web, web@3, ./disk.qcow2, /dev/sdb, nbd://…, https://…')
        .option('--format <name>', 'take a disk file for this format, whatever its content looks like'),
    ),
  async run(context, [disk], options) {
    const { openDiskGuest } = await import('../guest/open-disk-guest.ts');
    await using store = new LazyStore(context);
    const access = { ...(await accessOptions(options)), store: store.open, format: options.format };
    await using guest = await openDiskGuest(disk, access);
    context.show(
      () => guest.volumes.map(volumeJson),
      () => formatTable(columns, guest.volumes.map(cells)),
    );
  },
};

function cells({ directory = '', identity, length, name }: MountedVolume): string[] {
  const { label = '', type = '', uuid = '', version = '' } = identity ?? {};
  return [name, formatSize(length), type, version, label, uuid, directory];
}

function volumeJson({ directory, identity, length, name, offset }: MountedVolume): object {
  const { blockSize, label, size, type, uuid, version } = identity ?? {};
  return { name, offset, length, type, version, label, uuid, size, blockSize, mountedOn: directory };
}
