import { Mutex } from '../base/mutex.ts';
import type { MaybePromise } from '../block/block-device.ts';
import { zlib } from '../bytes/zlib.ts';
import { chunkSize, hexOf, type NameKey } from './chunk.ts';
import { CompressPool } from './compress-pool.ts';
import { nameOf } from './hash.ts';
import { packBody } from './pack-body.ts';
import { type BodyKind, bodyKinds } from './pack-format.ts';
import { type NewBody, PackWriter } from './pack-writer.ts';
import type { StoreParts } from './store-parts.ts';

/** The size at which a pack is closed: large enough for few files and requests, small enough to be rewritten. */
export const packTargetBytes = 32 * 1024 * 1024;
const outboxLimitBytes = 1024 * 1024;

/** Chunks of a piece: a disk is read 1 MiB at a time. */
export const pieceChunks = 16;
/** One is read, one or two are packed, one is written; who reads a disk faster than it packs waits. */
const pieceLimit = 4;

/** A chunk of a piece that the store does not have. */
export interface NewChunk {
  readonly name: Uint8Array;
  readonly bytes: Uint8Array;
}

/**
 * Brings new bodies into a store: each only once, packed in threads, written to packs, and each pack registered in
 * the catalog as soon as it is durable, so that an import that was cut off is quicker the next time.
 *
 * The session holds a lease until it is disposed of, under which garbage collection deletes nothing: hold it until a
 * snapshot names what was brought in.
 */
export class IngestSession implements AsyncDisposable {
  /** Undefined where bodies are packed by the thread that brings them in. */
  readonly #pool: CompressPool | undefined;
  readonly #freePieces: Uint8Array[] = [];
  readonly #waitingForPiece: Array<(piece: Uint8Array) => void> = [];
  #pieceCount = 0;
  readonly #parts: StoreParts;
  readonly #leaseId: number;
  readonly #lock = new Mutex();
  /** Names on their way that the catalog does not have yet. */
  readonly #pending = new Set<NameKey>();
  readonly #tasks = new Set<Promise<void>>();
  #outbox: NewBody[] = [];
  #outboxBytes = 0;
  #writer: PackWriter | undefined;
  #registering: Promise<void> = Promise.resolve();
  #failure: unknown;
  #storedLength = 0;
  #addedChunks = 0;

  /**
   * `purpose` says to others what is going on: `import web`. With `packing` as `here` Node's thread pool, through which a
   * guest's flushes go, is left alone, and all the work is done with the priority of this thread.
   */
  constructor(parts: StoreParts, purpose: string, packing: 'in threads' | 'here' = 'in threads') {
    this.#parts = parts;
    this.#pool = packing === 'here' ? undefined : new CompressPool();
    this.#leaseId = parts.catalog.write(() => parts.leases.take('ingest', purpose));
  }

  /** Bytes that the session's bodies take in packs. */
  get storedLength(): number {
    return this.#storedLength;
  }

  /** Chunks that the store did not have. */
  get addedChunks(): number {
    return this.#addedChunks;
  }

  /**
   * Those of up to 16 chunks that the caller is to bring in: the store does not have them, and nobody claimed them
   * before. Hot: once for each piece.
   */
  claim(chunks: readonly NewChunk[]): NewChunk[] {
    const known = this.#parts.chunks.knownAmong(chunks.map(({ name }) => name));
    return chunks.filter(({ name }) => {
      const key = hexOf(name);
      if (known.has(key) || this.#pending.has(key)) return false;
      this.#pending.add(key);
      return true;
    });
  }

  /** Brings in a small body, packed at once and written soon. Gives its name. */
  put(bytes: Uint8Array, kind: BodyKind): Uint8Array {
    const name = nameOf(bytes);
    if (this.claim([{ name, bytes }]).length === 0) return name;
    const body = packBody(bytes);
    this.#outbox.push({ name, length: bytes.length, crc32: zlib().crc32(body.bytes), kind, ...body });
    this.#outboxBytes += body.bytes.length;
    if (this.#outboxBytes > outboxLimitBytes) this.#start(this.#writeOutbox());
    return name;
  }

  /** Memory to read a piece into; the caller's until it is put or released. */
  acquirePiece(): MaybePromise<Uint8Array> {
    const free = this.#freePieces.pop();
    if (free !== undefined) return free;
    if (this.#pieceCount === pieceLimit) return new Promise((resolve) => this.#waitingForPiece.push(resolve));
    this.#pieceCount += 1;
    return new Uint8Array(pieceChunks * chunkSize);
  }

  releasePiece(piece: Uint8Array): void {
    const next = this.#waitingForPiece.shift();
    if (next === undefined) this.#freePieces.push(piece);
    else next(piece);
  }

  /** Packs and writes chunks of a piece in the background, and then releases it. */
  putPiece(piece: Uint8Array, chunks: readonly NewChunk[]): void {
    this.#addedChunks += chunks.length;
    this.#start(this.#packPiece(piece, chunks));
  }

  /** @throws what went wrong in the background since */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Returns when all that was put is durable and in the catalog. */
  async settle(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
    await this.#writeOutbox();
    if (this.#writer !== undefined) this.#register();
    await this.#registering;
    this.check();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
    this.#pool?.[Symbol.dispose]();
    await this.#registering;
    await this.#writer?.[Symbol.asyncDispose]();
    this.#writer = undefined;
    this.#parts.leases.release(this.#leaseId);
  }

  #start(work: Promise<void>): void {
    const task = work
      .catch((error) => {
        this.#failure ??= error;
      })
      .finally(() => this.#tasks.delete(task));
    this.#tasks.add(task);
  }

  async #packPiece(piece: Uint8Array, chunks: readonly NewChunk[]): Promise<void> {
    try {
      await this.#write(await Promise.all(chunks.map((chunk) => this.#packChunk(chunk))));
    } finally {
      this.releasePiece(piece);
    }
  }

  async #packChunk({ name, bytes }: NewChunk): Promise<NewBody> {
    const body = this.#pool === undefined ? packBody(bytes) : await this.#pool.pack(bytes);
    return { ...body, name, length: bytes.length, crc32: zlib().crc32(body.bytes), kind: bodyKinds.chunk };
  }

  async #writeOutbox(): Promise<void> {
    const bodies = this.#outbox;
    if (bodies.length === 0) return;
    this.#outbox = [];
    this.#outboxBytes = 0;
    await this.#write(bodies);
  }

  async #write(bodies: readonly NewBody[]): Promise<void> {
    using _lock = await this.#lock.lock();
    this.check();
    this.#writer ??= new PackWriter(this.#parts.packs);
    await this.#writer.add(bodies);
    for (const body of bodies) this.#storedLength += body.bytes.length;
    if (this.#writer.size >= packTargetBytes) this.#register();
  }

  /** Finishes the pack in the background, one after the other, while the next one is being written. */
  #register(): void {
    const writer = this.#writer as PackWriter;
    this.#writer = undefined;
    this.#registering = this.#registering
      .then(async () => {
        await using _writer = writer;
        const pack = await writer.finish();
        this.#parts.catalog.write(() => this.#parts.chunks.addPack(pack.name, pack.size, pack.entries));
        for (const entry of pack.entries) this.#pending.delete(hexOf(entry.name));
      })
      .catch((error) => {
        this.#failure ??= error;
      });
  }
}
