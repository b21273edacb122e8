import { VarveError } from '../../base/varve-error.ts';
import type { FileSystem } from '../../filesystem/file-system.ts';
import type { FileChange } from '../file-change.ts';
import { treeOf } from './link-names.ts';
import { type ChangedLinks, isDirectoryTime, parentOf } from './touched-files.ts';

/** One thing to do in a file system so that it has what another one has; paths are from the root of both. */
export type MergeStep =
  /** Takes a name away. */
  | { readonly kind: 'remove'; readonly path: string; readonly isDirectory: boolean }
  /** Makes a file as the other one has it; a directory gets what is its own by `finish`. */
  | { readonly kind: 'make'; readonly path: string }
  /** Gives a regular file what the other has, in its place; `lost` are extended attributes that go. */
  | { readonly kind: 'change'; readonly path: string; readonly content: boolean; readonly lost: readonly string[] }
  | { readonly kind: 'link'; readonly path: string; readonly to: string }
  /** Gives a directory what is its own: only its times, or all. */
  | {
      readonly kind: 'finish';
      readonly path: string;
      readonly metadata: boolean;
      readonly times: boolean;
      readonly lost: readonly string[];
    };

/** What the steps are made of. */
export interface MergeStepsInput {
  /** Ours, on one file system, paths from its root; renames told as deleted and added. */
  readonly changes: readonly FileChange[];
  /** All names of our files that changed and have several. */
  readonly links: ChangedLinks;
  readonly before: FileSystem;
  readonly after: FileSystem;
  /** The directories whose times the others changed, too. */
  readonly theirDirectories: ReadonlySet<string>;
  /** For messages. */
  readonly name: string;
}

/** The steps that repeat our changes, in the order in which they can be taken. @throws VarveError `CONFLICT`, `CORRUPT` */
export async function mergeSteps(input: MergeStepsInput): Promise<MergeStep[]> {
  const { changes } = input;
  const removed = changes.filter((change) => change.kind === 'deleted' || isMadeAnew(change));
  const removals = removed.map((change): MergeStep => {
    return { kind: 'remove', path: change.path, isDirectory: change.before!.stat.kind === 'directory' };
  });
  const made = changes.filter((change) => change.kind === 'added' || isMadeAnew(change));
  return [
    ...removals.sort((a, b) => depthOf(b) - depthOf(a)),
    ...(await makingSteps(input, made)),
    ...(await changingSteps(input)),
    ...(await directorySteps(input, made)),
  ];
}

/** Regular files are changed in their place, so that other names of theirs stay theirs; directories, too. */
function isMadeAnew({ after, before, differences, kind }: FileChange): boolean {
  if (kind !== 'modified') return false;
  if (differences.includes('kind')) return true;
  if (after!.stat.kind === 'directory') return false;
  return after!.stat.kind !== 'file' || before!.node !== after!.node;
}

function depthOf({ path }: MergeStep): number {
  return path.split('/').length;
}

/** A file with several names is made once, or is there already by a name that stays; the others are links to that. */
async function makingSteps(input: MergeStepsInput, made: readonly FileChange[]): Promise<MergeStep[]> {
  const makes: MergeStep[] = [];
  const links: MergeStep[] = [];
  const firsts = new Map<number, string>();
  for (const { after, path } of made) {
    const { node, stat } = after!;
    const isLinked = stat.kind !== 'directory' && stat.links > 1;
    const to = isLinked ? (firsts.get(node) ?? (await standingName(input, made, node))) : undefined;
    if (to === undefined) makes.push({ kind: 'make', path });
    else links.push({ kind: 'link', path, to });
    if (isLinked) firsts.set(node, to ?? path);
  }
  return [...makes.sort((a, b) => depthOf(a) - depthOf(b)), ...links];
}

/** A name of a file of ours that is neither new nor made anew. */
async function standingName(
  { before, links, name }: MergeStepsInput,
  made: readonly FileChange[],
  node: number,
): Promise<string | undefined> {
  const anew = new Set(made.map(({ path }) => path));
  const standing = (links.after.get(node) ?? []).filter((path) => !anew.has(path));
  for (const path of standing) {
    if ((await treeOf(before, name).find(path, { followLast: false }))?.node === node) continue;
    throw otherFileNow(name, path);
  }
  return standing[0];
}

/** One that says the same as the file that was there, and is another: no change tells of it. */
function otherFileNow(name: string, path: string): VarveError {
  return new VarveError('CONFLICT', `cannot merge ${name}: ${path} is another file now, though it says the same`);
}

async function changingSteps(input: MergeStepsInput): Promise<MergeStep[]> {
  const { changes } = input;
  const steps: MergeStep[] = [];
  const done = new Set<number>();
  for (const change of changes) {
    const { after, differences, kind, path } = change;
    if (kind !== 'modified' || after!.stat.kind !== 'file' || isMadeAnew(change) || done.has(after!.node)) continue;
    done.add(after!.node);
    await requireSameLinks(input, change);
    steps.push({ kind: 'change', path, content: differences.includes('content'), lost: await lostAttributes(change) });
  }
  return steps;
}

/** A file that is changed in its place changes by all the names that it had. @throws VarveError `CONFLICT` */
async function requireSameLinks(input: MergeStepsInput, { after, before }: FileChange): Promise<void> {
  const { changes, links, name } = input;
  const changed = new Set(changes.map(({ path }) => path));
  for (const path of links.before.get(before!.node) ?? []) {
    if (changed.has(path)) continue;
    const now = await treeOf(input.after, name).find(path, { followLast: false });
    if (now?.node !== after!.node) throw otherFileNow(name, path);
  }
}

/** What is in a directory changes its time: it gets the one of ours, unless the others changed what is in it, too. */
async function directorySteps(input: MergeStepsInput, made: readonly FileChange[]): Promise<MergeStep[]> {
  const steps = new Map<string, MergeStep>();
  for (const path of await standingParents(input)) {
    steps.set(path, { kind: 'finish', path, metadata: false, times: true, lost: [] });
  }
  for (const change of input.changes) {
    const { after, kind, path } = change;
    if (kind !== 'modified' || after!.stat.kind !== 'directory' || isMadeAnew(change)) continue;
    const step = { kind: 'finish', path, metadata: !isDirectoryTime(change), times: true } as const;
    steps.set(path, { ...step, lost: await lostAttributes(change) });
  }
  for (const path of input.theirDirectories) {
    const step = steps.get(path);
    if (step?.kind !== 'finish') continue;
    if (step.metadata) steps.set(path, { ...step, times: false });
    else steps.delete(path);
  }
  for (const { after, path } of made) {
    if (after!.stat.kind !== 'directory') continue;
    steps.set(path, { kind: 'finish', path, metadata: true, times: true, lost: [] });
  }
  return [...steps.values()].sort((a, b) => depthOf(b) - depthOf(a));
}

/** The directories of ours in which a name came, went or was made anew. */
async function standingParents({ after, changes, name }: MergeStepsInput): Promise<string[]> {
  const parents = new Set(changes.filter((change) => !isDirectoryTime(change)).map(({ path }) => parentOf(path)));
  const tree = treeOf(after, name);
  const found: string[] = [];
  for (const path of parents) {
    if ((await tree.find(path, { followLast: false }))?.kind === 'directory') found.push(path);
  }
  return found;
}

async function lostAttributes({ after, before }: FileChange): Promise<string[]> {
  const kept = await after!.fileSystem.extendedAttributes(after!.node);
  const had = await before!.fileSystem.extendedAttributes(before!.node);
  return [...had.keys()].filter((name) => !kept.has(name));
}
