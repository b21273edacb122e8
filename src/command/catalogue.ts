import type { CatalogueEntry } from './framework/command-module.ts';

const bringing = 'Bring disks in and out';
const files = 'Work with disk files, without a store';
const working = 'Work with images and snapshots';
const looking = 'Look';
const serving = 'Serve';
const keeping = 'Keep the store';

/** All commands, in the order of `varve --help`. Only the one that runs is loaded. */
export const catalogue: readonly CatalogueEntry[] = [
  {
    name: 'import',
    elsewhere: ['add', 'load'],
    group: bringing,
    summary: 'bring a disk into the store, as an image or its next snapshot',
    load: async () => (await import('./import.ts')).importCommand,
  },
  {
    name: 'export',
    elsewhere: ['dump'],
    group: bringing,
    summary: 'write a disk to a file, a block device or another program',
    load: async () => (await import('./export.ts')).exportCommand,
  },
  {
    name: 'convert',
    elsewhere: ['transform'],
    group: files,
    summary: 'write a disk as a file of another format',
    load: async () => (await import('./convert.ts')).convertCommand,
  },
  {
    name: 'create',
    elsewhere: ['new', 'init'],
    group: files,
    summary: 'make an empty disk file, or one that builds on another',
    load: async () => (await import('./create.ts')).createCommand,
  },
  {
    name: 'resize',
    elsewhere: ['grow', 'truncate'],
    group: files,
    summary: 'make the disk in a file larger or smaller',
    load: async () => (await import('./resize.ts')).resizeCommand,
  },
  {
    name: 'check',
    elsewhere: ['repair'],
    group: files,
    summary: 'look for what is wrong with a disk, and repair a file',
    load: async () => (await import('./check.ts')).checkCommand,
  },
  {
    name: 'map',
    group: files,
    summary: 'show which ranges of a disk hold data, and where',
    load: async () => (await import('./map.ts')).mapCommand,
  },
  {
    name: 'copy',
    elsewhere: ['nbdcopy', 'dd'],
    group: files,
    summary: 'write what a disk holds over another one, or into a new file',
    load: async () => (await import('./copy.ts')).copyCommand,
  },
  {
    name: 'measure',
    group: files,
    summary: 'tell how large a disk would be as a file of some format',
    load: async () => (await import('./measure.ts')).measureCommand,
  },
  {
    name: 'commit',
    elsewhere: ['merge'],
    group: files,
    summary: 'merge an overlay into the file that it builds on, in one step',
    load: async () => (await import('./commit.ts')).commitCommand,
  },
  {
    name: 'rebase',
    group: files,
    summary: 'let an overlay build on another file, and hold what it held',
    load: async () => (await import('./rebase.ts')).rebaseCommand,
  },
  {
    name: 'flatten',
    elsewhere: ['squash'],
    group: files,
    summary: 'let a disk file build on no other any more',
    load: async () => (await import('./flatten.ts')).flattenCommand,
  },
  {
    name: 'clone',
    elsewhere: ['branch', 'cp'],
    group: working,
    summary: 'make a new image from a snapshot, at once, whatever its size',
    load: async () => (await import('./clone.ts')).cloneCommand,
  },
  {
    name: 'snapshot',
    elsewhere: ['save'],
    group: working,
    summary: 'keep the present state of an image, or of a disk file',
    load: async () => (await import('./snapshot.ts')).snapshotCommand,
  },
  {
    name: 'restore',
    elsewhere: ['checkout', 'rollback', 'revert'],
    group: working,
    summary: 'go back to an earlier state, of an image or a disk file',
    load: async () => (await import('./restore.ts')).restoreCommand,
  },
  {
    name: 'tag',
    group: working,
    summary: 'give snapshots names, take them away, list them',
    load: async () => (await import('./tag.ts')).tagCommand,
  },
  {
    name: 'describe',
    elsewhere: ['amend', 'message'],
    group: working,
    summary: "change a snapshot's message",
    load: async () => (await import('./describe.ts')).describeCommand,
  },
  {
    name: 'rename',
    elsewhere: ['mv', 'move'],
    group: working,
    summary: 'give an image another name',
    load: async () => (await import('./rename.ts')).renameCommand,
  },
  {
    name: 'remove',
    elsewhere: ['rm', 'delete'],
    group: working,
    summary: 'remove images, snapshots, or disk files that no other builds on',
    load: async () => (await import('./remove.ts')).removeCommand,
  },
  {
    name: 'prune',
    elsewhere: ['expire', 'forget'],
    group: working,
    summary: 'remove old snapshots by rules: keep so many days, weeks, months',
    load: async () => (await import('./prune.ts')).pruneCommand,
  },
  {
    name: 'list',
    elsewhere: ['ls', 'images'],
    group: looking,
    summary: 'list the images of the store',
    load: async () => (await import('./list.ts')).listCommand,
  },
  {
    name: 'log',
    elsewhere: ['history', 'snapshots'],
    group: looking,
    summary: 'list the history of an image or a disk file, the newest first',
    load: async () => (await import('./log.ts')).logCommand,
  },
  {
    name: 'info',
    elsewhere: ['show', 'inspect'],
    group: looking,
    summary: 'tell all about one disk: a snapshot, a file, a device',
    load: async () => (await import('./info.ts')).infoCommand,
  },
  {
    name: 'diff',
    group: looking,
    summary: 'show where two disks differ',
    load: async () => (await import('./diff.ts')).diffCommand,
  },
  {
    name: 'compare',
    elsewhere: ['cmp'],
    group: looking,
    summary: 'tell whether two disks hold the same, and where they differ first',
    load: async () => (await import('./compare.ts')).compareCommand,
  },
  {
    name: 'serve',
    elsewhere: ['nbd', 'nbdkit', 'qemu-nbd'],
    group: serving,
    summary: 'export disks over NBD, to QEMU and whoever else speaks it',
    load: async () => (await import('./serve.ts')).serveCommand,
  },
  {
    name: 'status',
    group: keeping,
    summary: 'tell what the store holds and takes, and who is at work in it',
    load: async () => (await import('./status.ts')).statusCommand,
  },
  {
    name: 'gc',
    group: keeping,
    summary: 'give back the space that nothing needs any more',
    load: async () => (await import('./gc.ts')).gcCommand,
  },
  {
    name: 'verify',
    elsewhere: ['fsck', 'scrub'],
    group: keeping,
    summary: 'read and check everything; rebuild a lost catalog',
    load: async () => (await import('./verify.ts')).verifyCommand,
  },
  {
    name: 'completion',
    group: keeping,
    summary: 'print a completion script for bash, zsh or fish',
    load: async () => (await import('./completion.ts')).completionCommand,
  },
  {
    name: 'complete',
    summary: 'propose how a command line may go on; completion scripts call this',
    load: async () => (await import('./complete.ts')).completeCommand,
  },
];
