import assert from 'node:assert/strict';
import { VarveError } from '../base/varve-error.ts';
import { Bitmap } from '../bytes/bitmap.ts';
import { hexOf, isZeroName } from './chunk.ts';
import { checkNode, decodeRoot, fanout, nameIn } from './map-format.ts';
import type { StoreParts } from './store-parts.ts';

/**
 * Marks what can be reached from contents, by the catalog's numbers for names. What is marked already is not walked
 * again, so that a thousand snapshots cost little more than one.
 */
export class ReachableMarker {
  readonly #parts: StoreParts;
  readonly #marked: Bitmap;
  readonly #limit: number;

  /** Numbers up to `highestId` are marked; higher ones are newer than the marking, and left alone. */
  constructor(parts: StoreParts, highestId: number) {
    this.#parts = parts;
    this.#limit = highestId + 1;
    this.#marked = new Bitmap(this.#limit);
  }

  /** Whether nothing reaches the body of this number, as far as is known by now. */
  isDead(id: number): boolean {
    return id < this.#limit && !this.#marked.has(id);
  }

  /**
   * Marks all that `root` names; yields now and then, so that the caller can let others run.
   * @throws CORRUPT when a map cannot be read: then nobody knows what is dead
   */
  *mark(root: Uint8Array): Iterable<void> {
    if (!this.#visit(root)) return;
    const { top, depth } = decodeRoot(this.#body(root), 'root record');
    yield* this.#markUnder(top, depth);
  }

  *#markUnder(name: Uint8Array, level: number): Iterable<void> {
    if (isZeroName(name) || !this.#visit(name) || level === 0) return;
    const node = this.#body(name);
    checkNode(node, 'map');
    if (level > 1) {
      for (let index = 0; index < fanout; index += 1) yield* this.#markUnder(nameIn(node, index), level - 1);
      return;
    }
    for (let index = 0; index < fanout; index += 1) {
      const chunk = nameIn(node, index);
      if (!isZeroName(chunk)) this.#visit(chunk);
    }
    yield;
  }

  /** Marks a name; whether it was not marked before. */
  #visit(name: Uint8Array): boolean {
    const id = this.#parts.chunks.idOf(name);
    if (id === undefined) {
      const text = hexOf(name).slice(0, 16);
      throw new VarveError(
        'CORRUPT',
        `chunk ${text}… is missing from the store; run varve verify to see what it hurts`,
      );
    }
    // What is newer than the marking cannot be marked, and is walked each time.
    if (id >= this.#limit) return true;
    if (this.#marked.has(id)) return false;
    this.#marked.set(id);
    return true;
  }

  #body(name: Uint8Array): Uint8Array {
    const body = this.#parts.reader.get(name);
    assert(!(body instanceof Promise), 'a directory store reads synchronously');
    return body;
  }
}
