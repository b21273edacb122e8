import { chunkSize } from '../../src/store/chunk.ts';
import { nameOf } from '../../src/store/hash.ts';
import type { Content } from '../../src/store/ingest-device.ts';
import { type NewChunk, pieceChunks } from '../../src/store/ingest-session.ts';
import { MapBuilder } from '../../src/store/map-builder.ts';
import type { Store } from '../../src/store/store.ts';

/** An image that gets snapshot after snapshot, each made from the chunks that changed and no others. */
export class History {
  readonly #store: Store;
  readonly #image: string;
  readonly #names: Uint8Array[];

  constructor(store: Store, image: string, chunkCount: number) {
    this.#store = store;
    this.#image = image;
    this.#names = new Array(chunkCount);
  }

  /** Adds a snapshot in which the chunks of `changes`, by index, are other ones; the first must give all. */
  async add(changes: ReadonlyMap<number, Uint8Array>): Promise<void> {
    await using session = this.#store.beginIngest('benchmark');
    const storedBefore = session.storedLength;
    const chunks: NewChunk[] = [];
    for (const [index, bytes] of changes) {
      const name = nameOf(bytes);
      this.#names[index] = name;
      chunks.push(...session.claim([{ name, bytes }]));
    }
    for (let start = 0; start < chunks.length; start += pieceChunks) {
      session.putPiece(await session.acquirePiece(), chunks.slice(start, start + pieceChunks));
    }
    const size = this.#names.length * chunkSize;
    const builder = new MapBuilder(size, (bytes, kind) => session.put(bytes, kind));
    for (const name of this.#names) builder.append(name);
    const root = builder.finish();
    await session.settle();
    const storedLength = session.storedLength - storedBefore;
    this.#name({ root, size, statistics: { dataLength: size, addedLength: chunks.length * chunkSize, storedLength } });
  }

  #name(content: Content): void {
    const note = { message: '', author: 'benchmark', time: Date.now(), content };
    const { images, edit } = this.#store;
    if (images.find(this.#image) === undefined) edit.createImage(this.#image, { ...note, parent: undefined });
    else edit.addSnapshot(this.#image, { ...note, parent: images.resolve(this.#image) });
  }
}
