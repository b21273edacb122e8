import { isEqual } from '../bytes/is-equal.ts';
import type { Timestamp } from '../filesystem/file-system.ts';
import type { ComparedFile, Difference } from './file-change.ts';
import { type IsUnchanged, sameContent } from './same-content.ts';

/** How files are compared. */
export interface FileDifferencesOptions {
  /** Whether it counts when content was changed. */
  readonly times: boolean;
  readonly isUnchanged: IsUnchanged;
}

/** In what two files differ. */
export async function fileDifferences(
  a: ComparedFile,
  b: ComparedFile,
  { times, isUnchanged }: FileDifferencesOptions,
): Promise<Difference[]> {
  const found: Difference[] = [];
  if (a.stat.kind !== b.stat.kind) found.push('kind');
  else if (!(await isSameContent(a, b, isUnchanged))) found.push('content');
  if (a.stat.mode !== b.stat.mode) found.push('mode');
  if (a.stat.uid !== b.stat.uid || a.stat.gid !== b.stat.gid) found.push('owner');
  if (found[0] !== 'kind' && !isSameDevice(a, b)) found.push('device');
  if (!(await haveSameAttributes(a, b))) found.push('attributes');
  if (times && !isSameTime(a.stat.modified, b.stat.modified)) found.push('times');
  return found;
}

/** Whether two files of one node number are one file, and not a later one that got the number of one that is gone. */
export async function isSameFile(a: ComparedFile, b: ComparedFile, isUnchanged: IsUnchanged): Promise<boolean> {
  if (a.stat.kind !== b.stat.kind) return false;
  if (a.stat.created !== undefined && b.stat.created !== undefined) return isSameTime(a.stat.created, b.stat.created);
  return await isSameContent(a, b, isUnchanged);
}

async function isSameContent(a: ComparedFile, b: ComparedFile, isUnchanged: IsUnchanged): Promise<boolean> {
  if (a.stat.kind === 'file') return await sameContent(a, b, isUnchanged);
  if (a.stat.kind !== 'symlink') return true;
  return isEqual(await a.fileSystem.readLink(a.node), await b.fileSystem.readLink(b.node));
}

function isSameDevice({ stat: { device: a } }: ComparedFile, { stat: { device: b } }: ComparedFile): boolean {
  return a?.major === b?.major && a?.minor === b?.minor;
}

function isSameTime(a: Timestamp | undefined, b: Timestamp | undefined): boolean {
  return a?.seconds === b?.seconds && a?.nanoseconds === b?.nanoseconds;
}

async function haveSameAttributes(a: ComparedFile, b: ComparedFile): Promise<boolean> {
  const attributesA = await a.fileSystem.extendedAttributes(a.node);
  const attributesB = await b.fileSystem.extendedAttributes(b.node);
  if (attributesA.size !== attributesB.size) return false;
  for (const [name, value] of attributesA) {
    const other = attributesB.get(name);
    if (other === undefined || !isEqual(value, other)) return false;
  }
  return true;
}
