import { isVarveError } from '../../base/varve-error.ts';
import type { GuestTree } from '../../guest/guest-tree.ts';
import { FilePages } from './file-pages.ts';
import { JournalFile, type OnDamage } from './journal-file.ts';

const directory = '/var/log/journal';
/** The directory of a machine, which is called by its id; those of namespaces have more behind it. */
const machineName = /^[0-9a-f]{32}$/;
const fileName = /\.journal~?$/;
/** More would be a trap. */
const mostFiles = 10_000;

/** The files of a guest's journal, of all its users; those that are no journal are told and left out. */
export async function openJournals(tree: GuestTree, onDamage: OnDamage): Promise<JournalFile[]> {
  const pages = new FilePages();
  const opened: JournalFile[] = [];
  for (const path of await journalPaths(tree)) {
    try {
      const file = await tree.resolve(path);
      if (file.kind === 'file' && file.stat.size > 0) opened.push(await JournalFile.open(pages.open(file), onDamage));
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT', 'UNSUPPORTED', 'NOT_FOUND', 'INVALID')) throw error;
      onDamage(error);
    }
  }
  return opened;
}

async function journalPaths(tree: GuestTree): Promise<string[]> {
  const found: string[] = [];
  for (const machine of await namesIn(tree, directory, machineName)) {
    found.push(...(await namesIn(tree, machine, fileName)));
  }
  return found.slice(0, mostFiles);
}

async function namesIn(tree: GuestTree, path: string, wanted: RegExp): Promise<string[]> {
  const file = await tree.find(path);
  if (file?.kind !== 'directory') return [];
  const paths = (await tree.entries(file)).map((entry) => entry.path);
  return paths.filter((each) => wanted.test(each.slice(each.lastIndexOf('/') + 1)));
}
