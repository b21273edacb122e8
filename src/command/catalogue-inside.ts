import type { CatalogueEntry } from './framework/command-module.ts';

const inside = 'Look inside disks';

/** The commands that look inside disks, in the order of `varve --help`. */
export const commandsInside: readonly CatalogueEntry[] = [
  {
    name: 'ls',
    elsewhere: ['dir', 'll'],
    group: inside,
    summary: 'list the files in a disk',
    load: async () => (await import('./ls.ts')).lsCommand,
  },
  {
    name: 'cat',
    elsewhere: ['type', 'read'],
    group: inside,
    summary: 'print a file of a disk',
    load: async () => (await import('./cat.ts')).catCommand,
  },
  {
    name: 'tree',
    group: inside,
    summary: 'show a directory of a disk and all below it as a tree',
    load: async () => (await import('./tree.ts')).treeCommand,
  },
  {
    name: 'stat',
    group: inside,
    summary: 'tell all that a disk says of a file, and where its bytes are',
    load: async () => (await import('./stat.ts')).statCommand,
  },
  {
    name: 'find',
    elsewhere: ['fd', 'locate'],
    group: inside,
    summary: 'find files in a disk by name, kind, size, time, owner or mode',
    load: async () => (await import('./find.ts')).findCommand,
  },
  {
    name: 'cp',
    elsewhere: ['copy-out', 'virt-copy-out', 'extract'],
    group: inside,
    summary: 'copy files out of a disk, with all that the disk keeps of them',
    load: async () => (await import('./cp.ts')).cpCommand,
  },
  {
    name: 'tar',
    elsewhere: ['archive', 'virt-tar-out'],
    group: inside,
    summary: 'write files of a disk as a tar archive',
    load: async () => (await import('./tar.ts')).tarCommand,
  },
  {
    name: 'journal',
    elsewhere: ['journalctl', 'virt-log', 'dmesg'],
    group: inside,
    summary: "show what a disk's system noted in its logs",
    load: async () => (await import('./journal.ts')).journalCommand,
  },
  {
    name: 'df',
    elsewhere: ['virt-df'],
    group: inside,
    summary: 'show how full the file systems of disks are',
    load: async () => (await import('./df.ts')).dfCommand,
  },
  {
    name: 'usage',
    elsewhere: ['du', 'agedu', 'ncdu', 'dust', 'duf'],
    group: inside,
    summary: 'tell where the space went, and what nobody has used for long',
    load: async () => (await import('./usage.ts')).usageCommand,
  },
  {
    name: 'filesystems',
    elsewhere: ['partitions', 'volumes', 'lsblk'],
    group: inside,
    summary: 'show the file systems of a disk, and where they are mounted',
    load: async () => (await import('./filesystems.ts')).filesystemsCommand,
  },
  {
    name: 'fsck',
    elsewhere: ['e2fsck', 'chkdsk'],
    group: inside,
    summary: 'let the checkers of its file systems look at a disk',
    load: async () => (await import('./fsck.ts')).fsckCommand,
  },
  {
    name: 'tune',
    elsewhere: ['tune2fs'],
    group: inside,
    summary: 'say when the file systems of disks are to be checked',
    load: async () => (await import('./tune.ts')).tuneCommand,
  },
  {
    name: 'align',
    elsewhere: ['virt-alignment-scan'],
    group: inside,
    summary: 'tell whether partitions start where storage is quick, or mend it',
    load: async () => (await import('./align.ts')).alignCommand,
  },
  {
    name: 'inspect',
    elsewhere: ['virt-inspector', 'packages', 'sbom', 'os'],
    group: inside,
    summary: 'tell what system is on a disk: packages, users, services, kernels',
    load: async () => (await import('./inspect.ts')).inspectCommand,
  },
];
