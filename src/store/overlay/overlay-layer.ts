import { setImmediate } from 'node:timers/promises';
import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { BlockStates, statePageLength } from '../../filter/block-states.ts';
import { ForwardingDevice } from '../../filter/forwarding-device.ts';
import { knownOverlay } from '../../filter/overlay.ts';
import { decodeMapHeader, mapHeaderLength, mapLength, overlayBlockSize } from './map-header.ts';

/** So much is written, in bytes and in pages of the map, before a flush begins that nobody asked for. */
const earlyLength = 32 * 2 ** 20;
const earlyPageCount = 256;
const writesPerTurn = 32;

/** The two files of an overlay. */
export interface LayerFiles {
  /** What was written, at the same offsets as on the disk. */
  readonly data: BlockDevice;
  /** Which blocks of it count (`map-header.ts`). */
  readonly map: BlockDevice;
}

/**
 * An overlay on disk, and what it holds of a disk. As a device it is the place where data is kept; a disk is what
 * `over` makes of it and the disk below.
 *
 * The map on disk says `data` of a block only after what was written there is durable: a flush takes the states as
 * they are, syncs the data, and then writes and syncs those states. So it does not matter which sectors of the map a
 * power cut leaves old and which new (docs/formats/store.md has the proof).
 */
export class OverlayLayer extends ForwardingDevice {
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly states: BlockStates;
  readonly #map: BlockDevice;
  /** Whether data was written since the last flush began. What a dead process left need not be durable, */
  #isDirty = true;
  /** nor its map. */
  #isMapDirty = true;
  /** Bytes written since then. */
  #unsyncedLength = 0;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  /** After a failed sync the kernel forgets what it could not write, and the next one would succeed. */
  #failure: unknown;

  private constructor(id: string, { data, map }: LayerFiles, states: BlockStates) {
    super(data);
    this.id = id;
    this.states = states;
    this.#map = map;
  }

  /** Reads the map of an overlay, whose name in errors is `what`. @throws CORRUPT, UNSUPPORTED, IO */
  static async open(files: LayerFiles, what: string): Promise<OverlayLayer> {
    const bytes = new Uint8Array(mapHeaderLength);
    if (files.map.size < mapHeaderLength) throw new VarveError('CORRUPT', `${what}/map: it is too short for a map`);
    await files.map.read(bytes, 0);
    const { id, size } = decodeMapHeader(bytes, `${what}/map`);
    if (files.map.size !== mapLength(size) || files.data.size !== size) {
      throw new VarveError('CORRUPT', `${what}: its files do not have the sizes for a disk of ${size} bytes`);
    }
    return new OverlayLayer(id, files, await readStates(files.map, size, `${what}/map`));
  }

  /** The disk that holds these changes over `base`, which is as large. The caller disposes of layer and base. */
  over(base: BlockDevice): BlockDevice {
    return knownOverlay(base, this, { size: this.size, blockSize: overlayBlockSize, states: this.states });
  }

  override write(source: Uint8Array, offset: number): MaybePromise<void> {
    this.#unsyncedLength += source.length;
    return this.#afterChange(this.device.write(source, offset));
  }

  override zero(offset: number, length: number): MaybePromise<void> {
    return this.#afterChange(this.device.zero(offset, length));
  }

  override trim(offset: number, length: number): MaybePromise<void> {
    return this.#afterChange(this.device.trim(offset, length));
  }

  /** Makes all changes durable that came before the call; several calls at once are one sync, or two. */
  override flush(): MaybePromise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#isDirty && this.states.changedCount === 0) return this.#next ?? this.#running;
    this.#next ??= this.#flushAfter(this.#running);
    return this.#next;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await using stack = new AsyncDisposableStack();
    stack.use(this.#map);
    stack.use(this.device);
    await (this.#next ?? this.#running)?.catch(() => {});
  }

  #afterChange(changing: MaybePromise<void>): MaybePromise<void> {
    this.#isDirty = true;
    if (this.#unsyncedLength >= earlyLength || this.states.changedCount >= earlyPageCount) this.#flushEarly();
    // A sync that began meanwhile need not cover it.
    if (changing !== undefined) return changing.then(() => this.#afterChange(undefined));
  }

  /** Ahead of whoever wants it, so that a flush, and a snapshot, find little to do. If it fails, theirs does, too. */
  #flushEarly(): void {
    if (this.#running !== undefined || this.#next !== undefined || this.#failure !== undefined) return;
    this.flush()?.catch(() => {});
  }

  async #flushAfter(running: Promise<void> | undefined): Promise<void> {
    await running;
    this.#running = this.#next;
    this.#next = undefined;
    try {
      await this.#flushNow();
    } finally {
      this.#running = undefined;
    }
  }

  async #flushNow(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#isDirty = false;
    this.#unsyncedLength = 0;
    // As they are now: what turns into data during the sync is not covered by it.
    const pages = this.states.takeChangedPages();
    await this.#sync(this.device);
    if (pages.size === 0 && !this.#isMapDirty) return;
    this.#isMapDirty = true;
    try {
      let count = 0;
      for (const { offset, bytes } of joined(pages)) {
        await this.#map.write(bytes, offset);
        count += 1;
        // Pages that lie far apart take their time; requests go on meanwhile.
        if (count % writesPerTurn === 0) await setImmediate();
      }
    } catch (error) {
      // On a full disk, say: there may be space the next time.
      this.states.giveBack(pages.keys());
      throw error;
    }
    await this.#sync(this.#map);
    this.#isMapDirty = false;
  }

  async #sync(file: BlockDevice): Promise<void> {
    try {
      await file.flush();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }
}

async function readStates(map: BlockDevice, size: number, what: string): Promise<BlockStates> {
  const states = new BlockStates(Math.ceil(size / overlayBlockSize));
  const page = new Uint8Array(statePageLength);
  let next = 0;
  for await (const extent of map.extents(mapHeaderLength, map.size - mapHeaderLength)) {
    if (extent.kind !== 'data') continue;
    const first = Math.floor((extent.offset - mapHeaderLength) / statePageLength);
    const end = Math.ceil((extent.offset + extent.length - mapHeaderLength) / statePageLength);
    for (let index = Math.max(first, next); index < end; index += 1) {
      await map.read(page, mapHeaderLength + index * statePageLength);
      if (!states.loadPage(index, page)) throw new VarveError('CORRUPT', `${what}: page ${index} holds no states`);
    }
    next = end;
  }
  return states;
}

const maximumRunLength = 2 ** 20;

/** Pages that are neighbours, as one write of up to 1 MiB. */
function* joined(pages: ReadonlyMap<number, Uint8Array>): Iterable<{ offset: number; bytes: Uint8Array }> {
  let run: Uint8Array[] = [];
  let first = 0;
  const cut = () => ({ offset: mapHeaderLength + first * statePageLength, bytes: Buffer.concat(run) });
  for (const [index, page] of pages) {
    if (run.length > 0 && (index !== first + run.length || run.length * statePageLength === maximumRunLength)) {
      yield cut();
      run = [];
    }
    if (run.length === 0) first = index;
    run.push(page);
  }
  if (run.length > 0) yield cut();
}
