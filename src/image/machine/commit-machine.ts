import { VarveError } from '../../base/varve-error.ts';
import { appendSnapshot, type SnapshotNote } from '../../store/append-snapshot.ts';
import { hexOf, sameName } from '../../store/chunk.ts';
import { imageName } from '../../store/image-name.ts';
import { type Image, referenceOf, type Snapshot } from '../../store/image-table.ts';
import type { Content } from '../../store/ingest-device.ts';
import { IngestSession } from '../../store/ingest-session.ts';
import type { Stack } from '../../store/overlay/commit-stacks.ts';
import { imageOf, pushLayer, type StackOwner, setLowest } from '../../store/overlay/edit-overlays.ts';
import type { LayerBase } from '../../store/overlay/overlay-table.ts';
import { refuseOverlays } from '../../store/overlay/refuse-overlays.ts';
import { dropLayers, removeLayerFiles } from '../../store/overlay/remove-layers.ts';
import { ingestLayers, type StorePendingOptions } from '../../store/overlay/store-pending.ts';
import type { Store } from '../../store/store.ts';
import { settleImage } from '../settle-image.ts';

/** What is committed, and to what. */
export interface CommitMachine {
  readonly stack: StackOwner;
  /** An image that is there, or the name of a new one. */
  readonly target: string;
  readonly note: SnapshotNote;
  /** Whether it becomes the next snapshot although others have come since, whose changes are not in it. */
  readonly force: boolean;
  /** The snapshot of another image that was made of this overlay last: its id in hexadecimal. */
  readonly committed: string | undefined;
  /** How messages call the machine. */
  readonly machine: string;
}

/** What became of it. */
export interface CommittedMachine {
  /** Undefined where it changed nothing, and the image is its own. */
  readonly snapshot: Snapshot | undefined;
  /** Whether the overlay lies on that now, which is of its own image: there is nothing in it but what came since. */
  readonly isBase: boolean;
}

/** Puts an empty layer on a machine's stack: what was written before is below it, and can be committed. Its id. */
export function coverMachine(store: Store, stack: StackOwner): string {
  return pushLayer(store, stack).id;
}

/**
 * Looks whether a commit would be refused, before anything is brought in.
 * @throws VarveError `CONFLICT` where the image has moved on, or holds changes of its own, `BUSY`, `INVALID`
 */
export async function requireCommittable(store: Store, commit: CommitMachine): Promise<void> {
  await settleImage(store, commit.target);
  store.catalog.read(() => requireTarget(store, commit));
}

/**
 * Makes what a machine's disk was, when the uppermost layer of its stack was put there, the next snapshot of an image, or
 * the first of a new one. All layers but that one are durable, and nobody writes to them. Where the image is the one that the
 * stack is over, the stack lies on the new snapshot afterwards.
 *
 * @throws VarveError as `requireCommittable`, `NO_SPACE`, `CORRUPT`, `IO`
 */
export async function commitMachine(
  store: Store,
  commit: CommitMachine,
  options: StorePendingOptions = {},
): Promise<CommittedMachine> {
  await requireCommittable(store, commit);
  const layers = store.overlays.stack(commit.stack.image, commit.stack.owner).slice(0, -1);
  const base = layers[0]?.base;
  if (base === undefined) throw new VarveError('CONFLICT', `machine ${commit.machine} was reset meanwhile`);
  await using session = new IngestSession(store, `commit ${commit.machine} to ${commit.target}`, options.packing);
  const content = await ingestLayers(store, session, layers, options);
  const target = store.images.find(commit.target);
  if (target === undefined) return { snapshot: createTarget(store, commit, content, base), isBase: false };
  const isOwn = target.id === commit.stack.image;
  if (isOwn && sameName(content.root, base.root)) return { snapshot: undefined, isBase: false };
  const snapshot = store.catalog.write(() => appendTo(store, commit, { content, layers, base }));
  if (isOwn) removeLayerFiles(store, layers);
  return { snapshot, isBase: isOwn };
}

interface Changes {
  readonly content: Content;
  readonly layers: Stack;
  readonly base: LayerBase;
}

function appendTo(store: Store, commit: CommitMachine, { content, layers, base }: Changes): Snapshot {
  const target = requireTarget(store, commit);
  if (target === undefined) throw new VarveError('NOT_FOUND', `${commit.target} was removed meanwhile`);
  const made = appendSnapshot(store, target, { ...commit.note, content, parent: base.id });
  if (target.id !== commit.stack.image) return made;
  const above = store.overlays.stack(commit.stack.image, commit.stack.owner)[layers.length];
  if (above === undefined) throw new VarveError('CONFLICT', `machine ${commit.machine} was reset meanwhile`);
  setLowest(store, above, made);
  dropLayers(store, layers);
  return made;
}

/** What the machine booted may have been removed since; then the new image has no parent. */
function createTarget(
  store: Store,
  { note, stack, target }: CommitMachine,
  content: Content,
  base: LayerBase,
): Snapshot {
  const own = store.images.snapshots(imageOf(store, stack.image).name);
  const parent = own.find(({ id }) => sameName(id, base.id));
  return store.edit.createImage(target, { ...note, content, parent });
}

/** The image, if it is there. */
function requireTarget(store: Store, commit: CommitMachine): Image | undefined {
  const { committed, force, machine, stack, target: name } = commit;
  const target = store.images.find(imageName(name));
  if (target === undefined) return undefined;
  refuseOverlays(store, target);
  const newest = store.images.resolve(target.name);
  const base = store.overlays.stack(stack.image, stack.owner)[0]?.base;
  if (base === undefined) throw new VarveError('CONFLICT', `machine ${machine} was reset meanwhile`);
  const ways = `varve netboot commit ${machine} NEWNAME makes a new image of it, --force the next snapshot of ${target.name}`;
  if (force) return target;
  if (target.id !== stack.image && hexOf(newest.id) !== committed) {
    const why = `machine ${machine} does not run from ${target.name}`;
    throw new VarveError('CONFLICT', `${why}: ${ways}, with nothing of what ${referenceOf(newest)} holds`);
  }
  if (target.id === stack.image && !sameName(newest.id, base.id)) {
    const why = `${target.name} has moved on: machine ${machine} runs from ${target.name}@${base.number}`;
    throw new VarveError(
      'CONFLICT',
      `${why}, and ${referenceOf(newest)} is the newest now: ${ways}, without what others changed since`,
    );
  }
  return target;
}
