import type { ComparedFile, FileChange } from '../file-change.ts';
import type { LinkNames } from './link-names.ts';

/** Which files one side touched, by their paths. */
export interface TouchedFiles {
  /** With all names of each; directories only where more than their times was changed. */
  readonly names: ReadonlySet<string>;
  /** Those of them that are there, or are directories, on one side only: all below them hangs on that. */
  readonly structural: ReadonlySet<string>;
}

/** The other names of the files that changed, before and after. */
export interface ChangedLinks {
  readonly before: LinkNames;
  readonly after: LinkNames;
}

/** Whether nothing but the time of a directory changed, as it does when a name in it comes or goes. */
export function isDirectoryTime({ after, differences, kind }: FileChange): boolean {
  return kind === 'modified' && after?.stat.kind === 'directory' && differences.every((each) => each === 'times');
}

/** What changes touch; renames are to be told as what was deleted and what was added. */
export function touchedFiles(changes: readonly FileChange[], links: ChangedLinks): TouchedFiles {
  const names = new Set<string>();
  const structural = new Set<string>();
  for (const change of changes) {
    if (isDirectoryTime(change)) continue;
    names.add(change.path);
    if (change.kind !== 'modified' || change.differences.includes('kind')) structural.add(change.path);
    for (const name of linkedTo(change.before, links.before)) names.add(name);
    for (const name of linkedTo(change.after, links.after)) names.add(name);
  }
  return { names, structural };
}

/** The nodes of the files that changed and have several names on one side. */
export function linkedNodes(changes: readonly FileChange[], side: 'before' | 'after'): Set<number> {
  const files = changes.flatMap((change) => change[side] ?? []);
  return new Set(files.filter(hasLinks).map(({ node }) => node));
}

function linkedTo(file: ComparedFile | undefined, links: LinkNames): readonly string[] {
  return file !== undefined && hasLinks(file) ? (links.get(file.node) ?? []) : [];
}

function hasLinks({ stat }: ComparedFile): boolean {
  return stat.kind !== 'directory' && stat.links > 1;
}

/** The paths on which two sides cannot agree: those that both touched, and what hangs on them; none where all can be merged. */
export function fileConflicts(one: TouchedFiles, other: TouchedFiles): string[] {
  const found = new Set<string>();
  for (const path of one.names) if (other.names.has(path)) found.add(path);
  for (const [above, below] of [
    [one, other],
    [other, one],
  ] as const) {
    for (const path of below.names) {
      const ancestor = ancestorsOf(path).find((each) => above.structural.has(each));
      if (ancestor !== undefined) found.add(ancestor).add(path);
    }
  }
  return [...found].sort();
}

/** The directories on the way to a path, without itself. */
function ancestorsOf(path: string): string[] {
  const names = path.split('/').slice(1, -1);
  return ['/', ...names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`)];
}

/** The directory that a path is in. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}
