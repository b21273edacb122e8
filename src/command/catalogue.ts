import type { CatalogueEntry } from './framework/command-module.ts';

const bringing = 'Bring disks in and out';
const working = 'Work with images and snapshots';
const looking = 'Look';
const keeping = 'Keep the store';

/** All commands, in the order of `varve --help`. Only the one that runs is loaded. */
export const catalogue: readonly CatalogueEntry[] = [
  {
    name: 'clone',
    group: working,
    summary: 'make a new image from a snapshot, at once, whatever its size',
    load: async () => (await import('./clone.ts')).cloneCommand,
  },
  {
    name: 'list',
    group: looking,
    summary: 'list the images of the store',
    load: async () => (await import('./list.ts')).listCommand,
  },
];
