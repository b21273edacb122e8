import fs from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { log } from '../../log/log.ts';
import { syncDirectory } from '../file-history/file-places.ts';
import type { ConversionJournal } from './conversion-journal.ts';

/** Moves the old file out of the way, durably, unless that is done. @throws VarveError by errno */
export async function takeSource(journal: ConversionJournal): Promise<void> {
  const { directory, path } = journal;
  const source = journal.file('source');
  if (await exists(source)) return;
  try {
    await fs.rename(path, source);
    await syncDirectory(directory);
    await syncDirectory(dirname(path));
  } catch (error) {
    throw systemError(`convert ${path}`, error);
  }
  log(2, 'the source is in its place');
}

/**
 * Gives the new file the old one's name, durably. Nothing is overwritten, and it also stays where it is.
 *
 * @throws VarveError `EXISTS` where there is another file of that name now
 */
export async function giveName(journal: ConversionJournal): Promise<void> {
  const { path } = journal;
  const target = journal.file('target');
  if (!(await exists(target))) return;
  try {
    await fs.link(target, path);
  } catch (error) {
    if (!(await isSameFile(target, path))) throw nameTaken(journal, error);
  }
  await syncDirectory(dirname(path));
  log(2, 'the target has its name');
}

function nameTaken({ file, path }: ConversionJournal, error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return systemError(`give ${file('target')} its name`, error);
  const why = `there is another file of that name now; move it away, and run this again`;
  return new VarveError('EXISTS', `cannot finish converting ${path}: ${why}`, { cause: error });
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all(
    [a, b].map((path) => fs.stat(path, { bigint: true }).catch(() => undefined)),
  );
  return first !== undefined && first.ino === second?.ino && first.dev === second.dev;
}

/** Whether there is a file of that name. */
export async function exists(path: string): Promise<boolean> {
  return await fs.access(path).then(
    () => true,
    () => false,
  );
}
