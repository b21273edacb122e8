import { randomBytes } from '../base/random.ts';
import { packKey } from './chunk-table.ts';
import { nameOf } from './hash.ts';
import type { BodyKind, BodyMethod, PackEntry } from './pack-format.ts';
import {
  encodePackFooter,
  encodePackHeader,
  encodePackIndex,
  packHeaderLength,
  packNonceLength,
} from './pack-format.ts';
import type { NewObject, PackStore } from './pack-store.ts';

/** A body on its way into a pack. */
export interface NewBody {
  readonly name: Uint8Array;
  /** The stored bytes; the caller's again when `add` is done. */
  readonly bytes: Uint8Array;
  /** The body's length before it was packed. */
  readonly length: number;
  readonly crc32: number;
  readonly method: BodyMethod;
  readonly kind: BodyKind;
}

/** A pack that is whole, durable, and not in the catalog yet. */
export interface FinishedPack {
  readonly name: Uint8Array;
  /** Bytes, index and footer included. */
  readonly size: number;
  readonly entries: readonly PackEntry[];
}

/** Writes one pack. Disposing of it before `finish` leaves nothing behind. */
export class PackWriter implements AsyncDisposable {
  readonly #packs: PackStore;
  readonly #entries: PackEntry[] = [];
  #object: NewObject | undefined;
  #bodiesEnd = packHeaderLength;

  constructor(packs: PackStore) {
    this.#packs = packs;
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#bodiesEnd;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  async add(bodies: readonly NewBody[]): Promise<void> {
    for (const body of bodies) this.#enter(body);
    const parts = bodies.map((body) => body.bytes);
    if (this.#object === undefined) {
      this.#object = await this.#packs.create();
      parts.unshift(encodePackHeader());
    }
    await this.#object.append(parts);
  }

  /** Makes the pack durable. */
  async finish(): Promise<FinishedPack> {
    const object = this.#object as NewObject;
    const index = encodePackIndex(randomBytes(packNonceLength), this.#entries);
    const name = nameOf(index);
    const footer = encodePackFooter({ indexOffset: this.#bodiesEnd, indexLength: index.length, indexName: name });
    await object.append([index, footer]);
    await object.commit(packKey(name));
    const { size } = object;
    await this[Symbol.asyncDispose]();
    return { name, size, entries: this.#entries };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#object?.[Symbol.asyncDispose]();
    this.#object = undefined;
  }

  #enter(body: NewBody): void {
    this.#entries.push({
      name: body.name,
      offset: this.#bodiesEnd,
      storedLength: body.bytes.length,
      length: body.length,
      crc32: body.crc32,
      method: body.method,
      kind: body.kind,
    });
    this.#bodiesEnd += body.bytes.length;
  }
}
