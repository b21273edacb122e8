import fs from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { randomUuid } from '../base/random.ts';
import { isVarveError, systemError, VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { Catalog } from './catalog.ts';
import { chunkSize } from './chunk.ts';
import { ChunkReader } from './chunk-reader.ts';
import { ChunkTable } from './chunk-table.ts';
import { DirectoryPackStore, syncDirectory, temporaryPrefix } from './directory-pack-store.ts';
import { ImageEditor } from './image-editor.ts';
import { ImageTable, referenceOf, type Snapshot } from './image-table.ts';
import { IngestSession } from './ingest-session.ts';
import { LeaseTable } from './lease.ts';
import type { ChangedRun } from './map-diff.ts';
import { OverlayTable } from './overlay/overlay-table.ts';
import type { StoreParts } from './store-parts.ts';

const formatVersion = 1;
export const catalogFile = 'catalog.sqlite';
const storeFile = 'varve-store.json';

/** How a store is opened. */
export interface OpenStoreOptions {
  /** Makes the store where there is none. */
  readonly create?: boolean;
}

/** An open store: images to look up (`images`), to change (`edit`), to bring in (`ingest`) and to read. */
export class Store implements StoreParts, AsyncDisposable {
  readonly path: string;
  readonly catalog: Catalog;
  readonly packs: DirectoryPackStore;
  readonly chunks: ChunkTable;
  readonly overlays: OverlayTable;
  readonly images: ImageTable;
  readonly leases: LeaseTable;
  readonly reader: ChunkReader;
  readonly edit: ImageEditor;

  /** Use `openStore`. */
  constructor(path: string, catalog: Catalog) {
    this.path = path;
    this.catalog = catalog;
    this.packs = new DirectoryPackStore(path);
    this.chunks = new ChunkTable(catalog);
    this.overlays = new OverlayTable(catalog);
    this.images = new ImageTable(catalog, this.overlays);
    this.leases = new LeaseTable(catalog);
    this.reader = new ChunkReader(this.chunks, this.packs);
    this.edit = new ImageEditor(this);
  }

  /** Whether the store's directory cannot be written to, or there is no space left for it. */
  get readOnly(): boolean {
    return this.catalog.readOnly;
  }

  /** @throws READ_ONLY, or NO_SPACE, when the store cannot be written to */
  requireWritable(): void {
    const { refusal } = this.catalog;
    if (refusal === undefined) return;
    throw new VarveError(refusal.code, `cannot write to the store ${this.path}: ${refusal.reason}`);
  }

  /** Begins to bring content in; `purpose` says to others what for. @throws READ_ONLY */
  beginIngest(purpose: string): IngestSession {
    this.requireWritable();
    return new IngestSession(this, purpose);
  }

  /**
   * A snapshot's disk, read-only. It stays readable while the device is open, even when the snapshot is removed.
   * @throws NOT_FOUND when it was removed meanwhile, CORRUPT
   */
  async openSnapshot(snapshot: Snapshot): Promise<BlockDevice> {
    const lease = this.#hold(snapshot);
    try {
      const { openContent } = await import('./open-content.ts');
      return await openContent(this.reader, snapshot.root, () => lease[Symbol.dispose]());
    } catch (error) {
      lease[Symbol.dispose]();
      throw error;
    }
  }

  /** The chunks in which two snapshots differ. @throws NOT_FOUND when one was removed meanwhile, CORRUPT */
  async *changes(a: Snapshot, b: Snapshot): AsyncIterable<ChangedRun> {
    using _leaseA = this.#hold(a);
    using _leaseB = this.#hold(b);
    const { contentChanges } = await import('./open-content.ts');
    yield* contentChanges(this.reader, a.root, b.root);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.packs[Symbol.asyncDispose]();
    this.catalog[Symbol.dispose]();
  }

  /**
   * Keeps a snapshot's content from garbage collection. Who cannot write that down, to a store of somebody else's or
   * on a full disk, reads all the same: if the content goes meanwhile, reading ends with CORRUPT.
   */
  #hold(snapshot: Snapshot): Disposable {
    const lease = this.readOnly ? undefined : this.#takeLease(snapshot);
    return {
      [Symbol.dispose]: () => {
        if (lease !== undefined && this.catalog.isOpen) this.leases.release(lease);
      },
    };
  }

  #takeLease(snapshot: Snapshot): number | undefined {
    try {
      return this.catalog.writeLazily(() => {
        this.#refuseCollected(snapshot);
        return this.leases.take('read', `read ${referenceOf(snapshot)}`, { root: snapshot.root });
      });
    } catch (error) {
      if (isVarveError(error, 'NO_SPACE')) return undefined;
      throw error;
    }
  }

  /** A content is collected whole, with its root record, and only when no snapshot names it. */
  #refuseCollected({ id, root, ...snapshot }: Snapshot): void {
    if (this.chunks.has(root) || this.catalog.get('SELECT 1 FROM snapshots WHERE id = ?', id) !== undefined) return;
    throw new VarveError('NOT_FOUND', `${referenceOf(snapshot)} was removed meanwhile`);
  }
}

/**
 * Opens the store in the directory `path`. A directory that cannot be written to gives a store for reading.
 * @throws NOT_FOUND, UNSUPPORTED for a newer store, CORRUPT, PERMISSION
 */
export async function openStore(path: string, options: OpenStoreOptions = {}): Promise<Store> {
  const directory = resolve(path);
  const isThere = isStore(directory);
  if (!isThere && !options.create) {
    throw new VarveError('NOT_FOUND', `there is no store in ${directory}; varve import makes one`);
  }
  if (!isThere) createStore(directory);
  checkStoreFile(directory);
  return new Store(directory, openCatalog(directory));
}

/** Not `existsSync`, which takes a directory that may not be looked into for an empty one. */
function isStore(directory: string): boolean {
  try {
    return fs.statSync(join(directory, storeFile), { throwIfNoEntry: false }) !== undefined;
  } catch (cause) {
    throw systemError(`open the store ${directory}`, cause);
  }
}

function openCatalog(directory: string): Catalog {
  const path = join(directory, catalogFile);
  if (!fs.existsSync(path)) {
    throw new VarveError(
      'CORRUPT',
      `the store ${directory} has lost its catalog; varve verify --rebuild makes a new one`,
    );
  }
  return Catalog.open(path, { readOnly: !isWritable(directory) });
}

function isWritable(directory: string): boolean {
  try {
    fs.accessSync(directory, fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Makes a store; two processes at once make one. The file that says what it is comes last. */
function createStore(directory: string): void {
  try {
    const made = fs.mkdirSync(directory, { recursive: true });
    if (made !== undefined) syncDirectory(dirname(made));
    refuseForeign(directory);
    for (const name of ['packs', 'snapshots', 'images', temporaryPrefix]) {
      fs.mkdirSync(join(directory, name), { recursive: true });
    }
    Catalog.create(join(directory, catalogFile))[Symbol.dispose]();
    const description = { varve: 'store', version: formatVersion, chunk_size: chunkSize, hash: 'blake3-256' };
    const text = `${JSON.stringify({ ...description, uuid: randomUuid(), created: new Date().toISOString() }, null, 2)}\n`;
    new DirectoryPackStore(directory).createIfAbsent(storeFile, Buffer.from(text));
    syncDirectory(directory);
  } catch (cause) {
    throw systemError(`make a store in ${directory}`, cause);
  }
}

/** What a store holds, and what mke2fs puts into a file system that may be there for the store alone. */
const ownNames = new Set([
  'packs',
  'snapshots',
  'images',
  'overlays',
  'machines',
  temporaryPrefix,
  storeFile,
  'lost+found',
]);

function refuseForeign(directory: string): void {
  const foreign = fs.readdirSync(directory).find((name) => !ownNames.has(name) && !name.startsWith(catalogFile));
  if (foreign === undefined) return;
  throw new VarveError('INVALID', `cannot make a store in ${directory}: it holds other things, such as ${foreign}`);
}

/** @throws NOT_FOUND when `directory` holds no store, CORRUPT, UNSUPPORTED for a newer store */
export function checkStoreFile(directory: string): void {
  const path = join(directory, storeFile);
  const description = parseStoreFile(path);
  if (description?.varve !== 'store') throw new VarveError('CORRUPT', `${path}: it does not describe a Varve store`);
  if (description.version !== formatVersion) {
    throw new VarveError('UNSUPPORTED', `${path}: store version ${description.version} needs a newer Varve`);
  }
  if (description.chunk_size !== chunkSize || description.hash !== 'blake3-256') {
    throw new VarveError(
      'UNSUPPORTED',
      `${path}: chunks of ${description.chunk_size} bytes named by ${description.hash}`,
    );
  }
}

function parseStoreFile(path: string): Record<string, unknown> | undefined {
  let text: string;
  try {
    text = fs.readFileSync(path, 'utf8');
  } catch (cause) {
    throw systemError(`open ${path}`, cause);
  }
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
