import { VarveError } from '../../base/varve-error.ts';
import { appendSnapshot, type SnapshotNote } from '../append-snapshot.ts';
import { sameName } from '../chunk.ts';
import { referenceOf, type Snapshot } from '../image-table.ts';
import type { Content, WorkOptions } from '../ingest-device.ts';
import { IngestSession } from '../ingest-session.ts';
import type { StoreParts } from '../store-parts.ts';
import { imageOf } from './edit-overlays.ts';
import type { Layer, LayerBase } from './overlay-table.ts';
import { refuseOverlays } from './refuse-overlays.ts';
import { dropLayers, removeLayerFiles } from './remove-layers.ts';
import { ingestLayers } from './store-pending.ts';

/** All layers of one owner over one image, the lowest first; not empty. */
export type Stack = readonly Layer[];

/** How stacks are committed. */
export interface CommitStacksOptions extends WorkOptions {
  /** Stacks that are forgotten in the same step: what they hold is in the others. */
  readonly replaced?: readonly Stack[] | undefined;
}

/** The image of a stack has another newest snapshot than the one that the stack lies on. */
export class MovedError extends VarveError {
  /** What the stack lies on, and what is newest now. */
  readonly base: LayerBase;
  readonly newest: Snapshot;

  constructor(base: LayerBase, newest: Snapshot) {
    const moved = `it began at ${newest.image}@${base.number}, and ${referenceOf(newest)} is the newest now`;
    super('CONFLICT', `${newest.image} has moved on: ${moved}`);
    this.base = base;
    this.newest = newest;
  }
}

/**
 * Makes the next snapshot of each image from what a stack holds, of all of them or of none: one transaction of the catalog
 * does it, after their contents were brought in. A stack that changed nothing makes none, and is in the way of the others
 * where its image has moved on. The caller writes to all of the
 * stacks, or nobody does, and what they hold is durable.
 *
 * @throws MovedError, CONFLICT or BUSY for an image that has other changes, ABORTED, NO_SPACE, CORRUPT, IO
 */
export async function commitStacks(
  parts: StoreParts,
  stacks: readonly Stack[],
  note: SnapshotNote,
  options: CommitStacksOptions = {},
): Promise<Snapshot[]> {
  const purpose = `commit ${stacks.map(([layer]) => imageOf(parts, layer!.image).name).join(', ')}`;
  await using session = new IngestSession(parts, purpose);
  const contents: Content[] = [];
  for (const stack of stacks) contents.push(await ingestLayers(parts, session, stack, options));
  const ended = [...stacks, ...(options.replaced ?? [])];
  const snapshots = parts.catalog.write(() => {
    const made = commitAll(parts, stacks, contents, note);
    for (const stack of ended) dropLayers(parts, stack);
    return made;
  });
  for (const stack of ended) removeLayerFiles(parts, stack);
  return snapshots;
}

/** @throws MovedError where somebody else was first */
function requireUnmoved(parts: StoreParts, stack: Stack): Snapshot {
  const image = imageOf(parts, stack[0]!.image);
  const newest = parts.images.resolve(image.name);
  const base = stack[0]!.base!;
  if (!sameName(newest.id, base.id)) throw new MovedError(base, newest);
  return newest;
}

/**
 * Whoever changed something relied on all that it could read, so none of it may have moved; whoever changed nothing
 * comes before all that happened since.
 */
function commitAll(
  parts: StoreParts,
  stacks: readonly Stack[],
  contents: readonly Content[],
  note: SnapshotNote,
): Snapshot[] {
  const isChanged = stacks.map((stack, index) => !sameName(contents[index]!.root, stack[0]!.base!.root));
  if (!isChanged.includes(true)) return [];
  return stacks.flatMap((stack, index) => {
    const newest = requireUnmoved(parts, stack);
    if (!isChanged[index]) return [];
    const image = imageOf(parts, stack[0]!.image);
    refuseOverlays(parts, image);
    return [appendSnapshot(parts, image, { ...note, content: contents[index]!, parent: newest.id })];
  });
}
