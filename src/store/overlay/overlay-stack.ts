import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../../block/block-device.ts';
import { openContent } from '../open-content.ts';
import type { StoreParts } from '../store-parts.ts';
import { overlayBlockSize } from './map-header.ts';
import { openOverlay } from './overlay-files.ts';
import type { OverlayLayer } from './overlay-layer.ts';
import type { Layer, LayerBase } from './overlay-table.ts';
import { type Replaced, SwitchDevice } from './switch-device.ts';

/** A layer in place: what it lies on, and the disk that both make. */
interface Placed {
  readonly layer: OverlayLayer;
  readonly below: SwitchDevice;
  readonly device: BlockDevice;
}

/**
 * A disk made of a content and layers of changes over it, of which the uppermost is written to. Layers are put on top,
 * and taken away below, while requests come: the disk stays what it is. This is about files only; what the catalog says
 * of layers is the business of whoever calls.
 */
export class OverlayStack implements BlockDevice {
  readonly size: number;
  readonly blockSize = overlayBlockSize;
  readonly supports: DeviceSupport = { write: true, trim: true, zero: true, extents: true };
  readonly #parts: StoreParts;
  readonly #placed: Placed[] = [];
  readonly #top: SwitchDevice;
  #content: BlockDevice;
  #isDisposed = false;

  private constructor(parts: StoreParts, content: BlockDevice) {
    this.size = content.size;
    this.#parts = parts;
    this.#content = content;
    this.#top = new SwitchDevice(content);
  }

  /** Opens a stack that is not empty, the lowest layer first. @throws CORRUPT, NOT_FOUND, IO */
  static async open(parts: StoreParts, layers: readonly Layer[]): Promise<OverlayStack> {
    const base = layers[0]?.base as LayerBase;
    const stack = new OverlayStack(parts, await openContent(parts.reader, base.root, () => {}));
    try {
      for (const { id } of layers) await stack.push(id);
      return stack;
    } catch (error) {
      await stack[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The layer that is written to. */
  get uppermost(): OverlayLayer {
    return (this.#placed.at(-1) as Placed).layer;
  }

  /** All layers, the lowest first. */
  get layers(): OverlayLayer[] {
    return this.#placed.map(({ layer }) => layer);
  }

  /** Puts a layer on top: what was written before this is done is below it, and what comes then is in it. */
  async push(id: string): Promise<Replaced> {
    const layer = await openOverlay(this.#parts.path, id);
    const below = new SwitchDevice(this.#placed.at(-1)?.device ?? this.#content);
    const placed = { layer, below, device: layer.over(below) };
    const replaced = await this.#top.replace(placed.device);
    this.#placed.push(placed);
    return replaced;
  }

  /** Lets the layer `id` lie on a content that is the same as what is below it now, and closes that. */
  async shorten(id: string, root: Uint8Array): Promise<void> {
    const index = this.#placed.findIndex(({ layer }) => layer.id === id);
    const content = await openContent(this.#parts.reader, root, () => {});
    const old = this.#content;
    const { released } = await (this.#placed[index] as Placed).below.replace(content);
    this.#content = content;
    const stored = this.#placed.splice(0, index);
    await released;
    await dispose([...stored.map(({ layer }) => layer), old]);
  }

  /** Takes the layers above the lowest `count` away, and puts the layer `id` there: what they held is not seen any more. */
  async cut(count: number, id: string): Promise<void> {
    const dropped = this.#placed.splice(count);
    const { released } = await this.push(id);
    await released;
    await dispose(dropped.map(({ layer }) => layer));
  }

  /** Takes all away, and puts the layer `id` over another content of the same size. */
  async changeContent(root: Uint8Array, id: string): Promise<void> {
    const old = this.#content;
    this.#content = await openContent(this.#parts.reader, root, () => {});
    await this.cut(0, id);
    await dispose([old]);
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    return this.#top.read(target, offset);
  }

  write(source: Uint8Array, offset: number): MaybePromise<void> {
    return this.#top.write(source, offset);
  }

  zero(offset: number, length: number): MaybePromise<void> {
    return this.#top.zero(offset, length);
  }

  trim(offset: number, length: number): MaybePromise<void> {
    return this.#top.trim(offset, length);
  }

  /** Layers below the uppermost that nobody writes to any more, and that are durable, cost nothing. */
  flush(): MaybePromise<void> {
    let flushing: Promise<void>[] | undefined;
    for (const { layer } of this.#placed) {
      const pending = layer.flush();
      if (pending === undefined) continue;
      flushing ??= [];
      flushing.push(pending);
    }
    if (flushing !== undefined) return Promise.all(flushing).then(() => {});
  }

  extents(offset: number, length: number): AsyncIterable<Extent> {
    return this.#top.extents(offset, length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    await dispose([...this.layers, this.#content]);
  }
}

async function dispose(devices: readonly AsyncDisposable[]): Promise<void> {
  await using stack = new AsyncDisposableStack();
  for (const device of devices) stack.use(device);
}
