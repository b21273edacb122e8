import { Mutex } from '../base/mutex.ts';
import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { checkedDevice } from '../block/checked-device.ts';
import { undisposed } from '../block/undisposed.ts';
import { log } from '../log/log.ts';
import { sameContentAs } from '../store/image-editor.ts';
import { tagName } from '../store/image-name.ts';
import type { Image, Snapshot } from '../store/image-table.ts';
import { dropUncommitted, pushLayer, type StackOwner, takeWriteLease } from '../store/overlay/edit-overlays.ts';
import { OverlayStack } from '../store/overlay/overlay-stack.ts';
import type { Layer, PendingNote } from '../store/overlay/overlay-table.ts';
import { OverlayThread } from '../store/overlay/overlay-thread.ts';
import { removeLayerFiles } from '../store/overlay/remove-layers.ts';
import type { Store } from '../store/store.ts';
import type { ChangedRange } from './diff-snapshots.ts';
import { dropEmptyLayers } from './drop-empty-layers.ts';
import { type OverlayStatus, statusOfStack, uncommittedRanges } from './overlay-status.ts';
import { completeNote, type SnapshotDetails } from './snapshot-details.ts';

/** How an image is opened to be written. */
export interface OpenForWritingOptions {
  /** What for, in words, for those who find it in use: `serve web`. */
  readonly purpose?: string | undefined;
  /** Where others can talk to this process: the path of a Unix socket. */
  readonly socket?: string | undefined;
  /** Whose changes these are; the image's own where nothing is given. */
  readonly owner?: string | undefined;
}

/** A snapshot that is made and has its number, while its content is brought in. */
export interface TakenSnapshot extends PendingNote {
  readonly image: string;
  /** The disk's size in bytes. */
  readonly size: number;
  /** Settles when it is stored; rejects when that failed, and the next who opens the image tries again. */
  readonly stored: Promise<Snapshot>;
}

/**
 * Opens an image as a disk that is written to: its newest snapshot under an overlay that is kept, with what was written
 * before and is in no snapshot. Nobody else can write to it meanwhile; what a process that died had flushed is there.
 * @throws NOT_FOUND, READ_ONLY, BUSY naming who has it open, CORRUPT
 */
export async function openImageForWriting(
  store: Store,
  name: string,
  options: OpenForWritingOptions = {},
): Promise<LiveImage> {
  store.requireWritable();
  const image = store.images.get(name);
  const { owner = '', purpose = `write to ${image.name}`, socket } = options;
  const who = { image: image.id, owner };
  const lease = takeWriteLease(store, { ...who, purpose, socket });
  try {
    await dropEmptyLayers(store, who);
    const before = store.overlays.stack(who.image, who.owner);
    if (owner !== '' && before.length === 0) throw new VarveError('NOT_FOUND', `${image.name} is not in ${owner}`);
    const top = before.at(-1);
    const layers = top === undefined || top.pending !== undefined ? [...before, pushLayer(store, who)] : before;
    return new LiveImage(store, image, who, lease, await OverlayStack.open(store, layers));
  } catch (error) {
    store.leases.release(lease);
    throw error;
  }
}

/** An image that is open for writing. Disposing flushes, and leaves uncommitted changes for the next who opens it. */
export class LiveImage implements AsyncDisposable {
  /** The image's name when it was opened. */
  readonly name: string;
  /** The disk, which belongs to this. */
  readonly device: BlockDevice;
  readonly #store: Store;
  readonly #who: StackOwner;
  readonly #lease: number;
  readonly #stack: OverlayStack;
  readonly #thread: OverlayThread;
  readonly #lock = new Mutex();
  #storing: Promise<void> | undefined;
  /** Those that were taken here and are not stored yet, by number. */
  readonly #taken = new Map<number, PromiseWithResolvers<Snapshot>>();
  /** A layer that the catalog has on top already, and that nothing is written to yet. */
  #spare: Promise<string> | undefined;
  #disposing: Promise<void> | undefined;

  /** Use `openImageForWriting`. */
  constructor(store: Store, image: Image, who: StackOwner, lease: number, stack: OverlayStack) {
    this.name = image.name;
    this.device = checkedDevice(undisposed(stack), { label: image.name });
    this.#store = store;
    this.#who = who;
    this.#lease = lease;
    this.#stack = stack;
    this.#thread = new OverlayThread(store.path, who);
    if (this.#layers().some(({ pending }) => pending !== undefined)) this.#startStoring();
  }

  /** Gets ready for a snapshot, so that it is quick: the layer that will be on top is made. */
  prepare(): void {
    if (this.#spare !== undefined) return;
    this.#spare = this.#pushLayer();
    this.#spare.catch(() => {
      // Whoever wants a snapshot tries again, and hears of it.
      this.#spare = undefined;
    });
  }

  /** Before all layers that make no snapshot are dropped, that one among them. */
  async #forgetSpare(): Promise<void> {
    await this.#spare?.catch(() => {});
    this.#spare = undefined;
  }

  async #pushLayer(): Promise<string> {
    return (await this.#thread.ask({ kind: 'push' })).id;
  }

  /**
   * Makes a snapshot of the disk as it is at one moment between the call and its end; requests go on meanwhile. It is
   * durable when this returns, and its content is brought in afterwards.
   * @throws EXISTS for a tag that is taken, INVALID, NO_SPACE, IO
   */
  async snapshot(details: SnapshotDetails & { readonly tag?: string | undefined } = {}): Promise<TakenSnapshot> {
    using _lock = await this.#lock.lock();
    const tag = details.tag === undefined ? undefined : tagName(details.tag);
    const below = this.#stack.uppermost;
    // An empty layer above changes nothing, whatever fails from here on.
    const spare = await (this.#spare ?? this.#pushLayer());
    this.#spare = undefined;
    await this.#stack.push(spare);
    const note = { ...completeNote(details, ''), ...(tag === undefined ? {} : { tag }) };
    await below.flush();
    const pending = await this.#thread.ask({ kind: 'mark', layerId: below.id, note });
    const stored = Promise.withResolvers<Snapshot>();
    // Whoever does not wait for it finds it in the log.
    stored.promise.catch(() => {});
    this.#taken.set(pending.number, stored);
    this.#startStoring();
    this.prepare();
    return { ...pending, image: this.name, size: this.#stack.size, stored: stored.promise };
  }

  /** Waits until every snapshot is stored. @throws NO_SPACE, IO */
  async settled(): Promise<void> {
    await this.#storing;
  }

  /** Drops what is in no snapshot. Nobody should be using the disk, which is another one afterwards. */
  async discard(): Promise<void> {
    using _lock = await this.#lock.lock();
    // Until then the catalog and the open files may be about different layers.
    await this.settled().catch(() => {});
    await this.#forgetSpare();
    const dropped = dropUncommitted(this.#store, this.#who);
    const kept = this.#layers().length;
    await this.#stack.cut(kept, pushLayer(this.#store, this.#who).id);
    removeLayerFiles(this.#store, dropped);
  }

  /** Puts a layer on top that the catalog has there already; what was written before is durable then, below it. */
  async putOnTop(layerId: string): Promise<void> {
    using _lock = await this.#lock.lock();
    await this.#stack.push(layerId);
    await this.#stack.flush();
  }

  /**
   * Puts such a layer above the lowest `count`, in place of what was there, which the catalog has forgotten. Nobody should
   * be using the disk, which is another one afterwards.
   */
  async cutTo(count: number, layerId: string): Promise<void> {
    using _lock = await this.#lock.lock();
    await this.#stack.cut(count, layerId);
  }

  /**
   * Makes an older snapshot's content the image's newest, as one more snapshot, and the disk what it holds; uncommitted
   * changes are dropped. Nobody should be using the disk.
   * @throws INVALID for a disk of another size
   */
  async restore(parent: Snapshot, details: SnapshotDetails): Promise<Snapshot> {
    if (parent.size !== this.#stack.size) {
      throw new VarveError('INVALID', `the disk is open and has another size than ${parent.image}@${parent.number}`);
    }
    using _lock = await this.#lock.lock();
    await this.settled();
    await this.#forgetSpare();
    const note = completeNote(details, `Restored from ${parent.image}@${parent.number}`);
    const snapshot = this.#store.edit.addSnapshotInstead(this.#image().name, {
      ...{ ...note, parent, content: sameContentAs(parent) },
    });
    await this.#stack.changeContent(snapshot.root, pushLayer(this.#store, this.#who).id);
    return snapshot;
  }

  /** The ranges of the disk that changes in no snapshot touch, in order and in whole chunks. */
  changes(): readonly ChangedRange[] {
    return uncommittedRanges(this.#layers(), this.#stack.layers);
  }

  /** What is in no snapshot, and what is being stored. */
  status(): OverlayStatus {
    return statusOfStack(this.#store, this.#layers(), this.#stack.layers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposing ??= this.#dispose();
    await this.#disposing;
  }

  async #dispose(): Promise<void> {
    using _lock = await this.#lock.lock();
    await this.settled().catch(() => {});
    try {
      await using stack = new AsyncDisposableStack();
      stack.use(this.#stack);
      stack.use(this.#thread);
      await this.#stack.flush();
      await stack.disposeAsync();
      // They would be in the way of imports.
      await dropEmptyLayers(this.#store, this.#who);
    } finally {
      this.#store.leases.release(this.#lease);
    }
  }

  #startStoring(): void {
    this.#storing ??= this.#storeAll().finally(() => {
      this.#storing = undefined;
    });
    this.#storing.catch((error) => log.error(error));
  }

  async #storeAll(): Promise<void> {
    try {
      for (let isMore = true; isMore; ) isMore = await this.#storeOne();
    } catch (error) {
      for (const { reject } of this.#taken.values()) reject(error);
      this.#taken.clear();
      throw error;
    }
  }

  /** Whether there was one to be stored. */
  async #storeOne(): Promise<boolean> {
    const snapshot = await this.#thread.ask({ kind: 'store' });
    if (snapshot === undefined) return false;
    const open = new Set(this.#stack.layers.map(({ id }) => id));
    const lowest = this.#layers().find(({ id }) => open.has(id)) as Layer;
    await this.#stack.shorten(lowest.id, snapshot.root);
    this.#taken.get(snapshot.number)?.resolve(snapshot);
    this.#taken.delete(snapshot.number);
    return true;
  }

  #layers(): Layer[] {
    return this.#store.overlays.stack(this.#who.image, this.#who.owner);
  }

  /** It may have got another name. */
  #image(): Image {
    const name = this.#store.catalog.get('SELECT name FROM images WHERE id = ?', this.#who.image)?.name;
    return this.#store.images.get(String(name ?? this.name));
  }
}
