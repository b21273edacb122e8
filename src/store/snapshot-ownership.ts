import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { isVarveError, VarveError } from '../base/varve-error.ts';
import { hexOf, isZeroName, type NameKey, zeroName } from './chunk.ts';
import type { Snapshot } from './image-table.ts';
import type { WorkOptions } from './ingest-device.ts';
import { checkNode, decodeRoot, fanout, nameIn } from './map-format.ts';
import { packSizeFor } from './pack-format.ts';
import type { StoreParts } from './store-parts.ts';
import { throwIfAborted } from './throw-if-aborted.ts';

/** Bodies of a store, and what they take there in bytes, with their places in indexes. */
export interface StoredBodies {
  bodies: number;
  bytes: number;
}

/** A snapshot, and what only it needs: what would be free without it. */
export interface OwnedSnapshot extends StoredBodies {
  readonly snapshot: Snapshot;
}

/** An image, and what only it needs: what its snapshots own alone, and what only these share. */
export interface OwnedImage extends StoredBodies {
  readonly image: string;
}

/** Who needs what of a store. Each body is in `garbage`, in `shared`, or in what one image owns. */
export interface Ownership {
  readonly snapshots: readonly OwnedSnapshot[];
  readonly images: readonly OwnedImage[];
  /** What several images need, or uncommitted changes build on. */
  readonly shared: StoredBodies;
  /** What nothing needs: the next garbage collection may give it back. */
  readonly garbage: StoredBodies;
}

/** Who needs a body, as far as is known: nobody, a snapshot (from 1 on), an image (behind these), or several of them. */
const nobody = 0;
const several = -1;
const nodesPerTurn = 64;
const askedTogether = 16;
const idsQuery = `SELECT id FROM chunks WHERE name IN (${Array(askedTogether).fill('?').join(', ')})`;

/**
 * Tells which snapshots own how much of the store alone. All maps are walked, each node at most three times whatever the
 * number of snapshots: when its first snapshot is known, its second, and its second image. Four bytes of memory a body.
 *
 * @throws VarveError `CORRUPT` when a map cannot be read: then nobody knows what is owned
 */
export async function measureOwnership(parts: StoreParts, options: WorkOptions = {}): Promise<Ownership> {
  for (let attempt = 1; ; attempt += 1) {
    const state = stateOf(parts);
    try {
      return await measureState(parts, state, options);
    } catch (error) {
      // What was removed and collected meanwhile cannot be walked to the end: then what is left is measured.
      const isOver = attempt === mostAttempts || !isVarveError(error, 'CORRUPT', 'NOT_FOUND');
      if (isOver || !wasRemoved(parts, state)) throw error;
    }
  }
}

const mostAttempts = 5;

/** What a store's bodies are needed for at a moment. */
interface StoreState {
  readonly snapshots: readonly Snapshot[];
  /** The roots of contents that uncommitted changes build on. */
  readonly pinned: readonly Uint8Array[];
  /** The catalog's highest number for a name. */
  readonly highest: number;
}

function stateOf(parts: StoreParts): StoreState {
  return parts.catalog.read(() => ({
    snapshots: [...parts.images.every()],
    pinned: parts.overlays.all().flatMap(({ base }) => (base === undefined ? [] : [base.root])),
    highest: Number(parts.catalog.get('SELECT coalesce(max(id), 0) AS id FROM chunks')?.id),
  }));
}

/** Whether something that was needed is not any more. */
function wasRemoved(parts: StoreParts, { pinned, snapshots }: StoreState): boolean {
  const now = stateOf(parts);
  const ids = new Set(now.snapshots.map(({ id }) => hexOf(id)));
  const bases = new Set(now.pinned.map(hexOf));
  return snapshots.some(({ id }) => !ids.has(hexOf(id))) || pinned.some((root) => !bases.has(hexOf(root)));
}

async function measureState(
  parts: StoreParts,
  { highest, pinned, snapshots }: StoreState,
  options: WorkOptions,
): Promise<Ownership> {
  const owners = new Owners(parts, snapshots, highest);
  let turn = 0;
  const walkAll = async (root: Uint8Array, owner: number): Promise<void> => {
    for (const _node of owners.mark(root, owner)) {
      turn += 1;
      if (turn % nodesPerTurn === 0) await setImmediate();
      throwIfAborted(options.signal);
    }
  };
  for (const root of pinned) await walkAll(root, several);
  for (const [index, { root }] of snapshots.entries()) await walkAll(root, index + 1);
  return owners.count();
}

/** Who needs each body, by the catalog's numbers for names. */
class Owners {
  readonly #parts: StoreParts;
  readonly #snapshots: readonly Snapshot[];
  readonly #images: readonly string[];
  /** Of each snapshot, from 1 on, the number of its image as an owner. */
  readonly #imageOf: Int32Array;
  readonly #owners: Int32Array;

  constructor(parts: StoreParts, snapshots: readonly Snapshot[], highestId: number) {
    this.#parts = parts;
    this.#snapshots = snapshots;
    this.#images = [...new Set(snapshots.map(({ image }) => image))];
    const numbers = new Map(this.#images.map((image, index) => [image, snapshots.length + 1 + index]));
    this.#imageOf = new Int32Array(snapshots.length + 1);
    for (const [index, { image }] of snapshots.entries()) this.#imageOf[index + 1] = numbers.get(image)!;
    this.#owners = new Int32Array(highestId + 1);
  }

  /** Notes that `owner` needs all that `root` names; yields now and then, so that others can run. @throws CORRUPT */
  *mark(root: Uint8Array, owner: number): Iterable<void> {
    if (!this.#add(root, owner)) return;
    const { top, depth } = decodeRoot(this.#body(root), 'root record');
    yield* this.#markUnder(top, depth, owner);
  }

  *#markUnder(name: Uint8Array, level: number, owner: number): Iterable<void> {
    if (isZeroName(name) || !this.#add(name, owner) || level === 0) return;
    const node = this.#body(name);
    checkNode(node, 'map');
    if (level === 1) this.#addChunks(node, owner);
    else {
      for (let index = 0; index < fanout; index += 1) yield* this.#markUnder(nameIn(node, index), level - 1, owner);
    }
    yield;
  }

  /** Adds an owner to the chunks that a leaf names. Hot: asked for together, they take a quarter of the time. */
  #addChunks(leaf: Uint8Array, owner: number): void {
    const names = new Map<NameKey, Uint8Array>();
    for (let index = 0; index < fanout; index += 1) {
      const name = nameIn(leaf, index);
      if (!isZeroName(name)) names.set(hexOf(name), name);
      if (names.size === askedTogether || index === fanout - 1) {
        this.#addTogether([...names.values()], owner);
        names.clear();
      }
    }
  }

  #addTogether(names: readonly Uint8Array[], owner: number): void {
    if (names.length === 0) return;
    const asked = Array.from({ length: askedTogether }, (_, place) => names[place] ?? zeroName);
    const rows = this.#parts.catalog.all(idsQuery, ...asked);
    if (rows.length < names.length) throw missing(names.find((name) => !this.#parts.chunks.has(name)) ?? names[0]!);
    for (const row of rows) this.#addTo(row.id as number, owner);
  }

  #add(name: Uint8Array, owner: number): boolean {
    const id = this.#parts.chunks.idOf(name);
    if (id === undefined) throw missing(name);
    return this.#addTo(id, owner);
  }

  /**
   * Adds an owner to a body; whether that changed anything. Where it does not, nothing below changes either: what is below
   * a node has all the owners that the node has.
   */
  #addTo(id: number, owner: number): boolean {
    // What is newer than the measuring belongs to snapshots that are, too.
    if (id >= this.#owners.length) return false;
    const before = this.#owners[id]!;
    const after = this.#joined(before, owner);
    this.#owners[id] = after;
    return after !== before;
  }

  #joined(before: number, owner: number): number {
    if (before === nobody || before === owner) return owner;
    if (before === several || owner === several) return several;
    const image = before > this.#snapshots.length ? before : this.#imageOf[before]!;
    return image === this.#imageOf[owner] ? image : several;
  }

  #body(name: Uint8Array): Uint8Array {
    const body = this.#parts.reader.get(name);
    assert(!(body instanceof Promise), 'a directory store reads synchronously');
    return body;
  }

  count(): Ownership {
    const snapshots = this.#snapshots.map((snapshot) => ({ snapshot, ...nothing() }));
    const images = this.#images.map((image) => ({ image, ...nothing() }));
    const [shared, garbage] = [nothing(), nothing()];
    for (const row of this.#parts.catalog.iterate('SELECT id, stored_length FROM chunks')) {
      const owner = this.#owners[row.id as number];
      if (owner === undefined) continue;
      const length = row.stored_length as number;
      if (owner === nobody) count(garbage, length);
      else if (owner === several) count(shared, length);
      else if (owner > snapshots.length) count(images[owner - snapshots.length - 1]!, length);
      else {
        count(snapshots[owner - 1]!, length);
        count(images[this.#imageOf[owner]! - snapshots.length - 1]!, length);
      }
    }
    return { snapshots, images, shared, garbage };
  }
}

function nothing(): StoredBodies {
  return { bodies: 0, bytes: 0 };
}

const placeBytes = packSizeFor(1, 0) - packSizeFor(0, 0);

function count(sum: StoredBodies, storedLength: number): void {
  sum.bodies += 1;
  sum.bytes += storedLength + placeBytes;
}

function missing(name: Uint8Array): VarveError {
  const text = hexOf(name).slice(0, 16);
  return new VarveError('CORRUPT', `chunk ${text}… is missing from the store; run varve verify to see what it hurts`);
}
