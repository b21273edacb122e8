import { Mutex } from '../../../base/mutex.ts';
import { isVarveError, VarveError } from '../../../base/varve-error.ts';
import type { BlockDevice } from '../../../block/block-device.ts';
import { checkedDevice } from '../../../block/checked-device.ts';
import { log } from '../../../log/log.ts';
import type { StackOwner } from '../../../store/overlay/edit-overlays.ts';
import { OverlayStack } from '../../../store/overlay/overlay-stack.ts';
import { SwitchDevice } from '../../../store/overlay/switch-device.ts';
import type { Store } from '../../../store/store.ts';
import type { NbdExport } from '../../nbd/nbd-export.ts';
import { endedDevice } from './ended-device.ts';
import type { MachineProtocol } from './machine-types.ts';
import { TellingDevice } from './telling-device.ts';

/** Who hears of what happens to a disk. */
export interface MachineDiskListener {
  connected(protocol: MachineProtocol | undefined): void;
  disconnected(protocol: MachineProtocol | undefined): void;
  wrote(): void;
  /** How long it may stay open with nobody there, in milliseconds: told when the last one left. */
  idleMs(): number;
}

/** A disk that is open. */
interface Open {
  readonly stack: OverlayStack;
  readonly gate: SwitchDevice;
  readonly device: BlockDevice;
}

/**
 * The disk of one boot of a machine: the stack of its overlay, which all of its connections share. It is opened when
 * somebody connects, flushed when the last one leaves, and closed when nobody comes again.
 */
export class MachineDisk {
  readonly who: StackOwner;
  readonly #label: string;
  readonly #store: Store;
  readonly #listener: MachineDiskListener;
  readonly #lock = new Mutex();
  readonly #ended = new AbortController();
  #hasWritten: boolean;
  #open: Open | undefined;
  #count = 0;
  #idleTimer: NodeJS.Timeout | undefined;

  /** `label` is what messages call it: `web@3 of alice`. */
  constructor(
    store: Store,
    who: StackOwner,
    { label, hasWritten }: { readonly label: string; readonly hasWritten: boolean },
    listener: MachineDiskListener,
  ) {
    this.#store = store;
    this.who = who;
    this.#label = label;
    this.#hasWritten = hasWritten;
    this.#listener = listener;
  }

  get connectionCount(): number {
    return this.#count;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Counts a connection until what it gets is disposed of. @throws VarveError `NOT_FOUND`, `CORRUPT`, `IO` */
  async connect(protocol?: MachineProtocol): Promise<NbdExport & AsyncDisposable> {
    using _lock = await this.#lock.lock();
    if (this.#ended.signal.aborted) throw this.#endedError();
    clearTimeout(this.#idleTimer);
    this.#open ??= await this.#openStack();
    this.#count += 1;
    this.#listener.connected(protocol);
    let isThere = true;
    return {
      device: this.#open.device,
      description: this.#label,
      ended: this.#ended.signal,
      [Symbol.asyncDispose]: async () => {
        if (!isThere) return;
        isThere = false;
        await this.#disconnect(protocol);
      },
    };
  }

  /** Ends all connections, and closes it for good; all that was written stays in the overlay, unless that is dropped. */
  async end({ isDropped = false }: { readonly isDropped?: boolean } = {}): Promise<void> {
    this.#ended.abort();
    using _lock = await this.#lock.lock();
    clearTimeout(this.#idleTimer);
    await this.#close(isDropped);
  }

  /** Makes all that was written durable. */
  async flush(): Promise<void> {
    using _lock = await this.#lock.lock();
    await this.#open?.stack.flush();
  }

  /** Puts a layer on top that the catalog has there already; what was written before is durable then, below it. */
  async cover(layerId: string): Promise<void> {
    using _lock = await this.#lock.lock();
    if (this.#open === undefined) return;
    // Whoever opened it since the catalog has the layer has it on top already.
    if (this.#open.stack.uppermost.id !== layerId) await this.#open.stack.push(layerId);
    await this.#open.stack.flush();
  }

  /** Lets the uppermost layer lie on a content that is the same as what is below it. */
  async shorten(root: Uint8Array): Promise<void> {
    using _lock = await this.#lock.lock();
    if (this.#open !== undefined) await this.#open.stack.shorten(this.#open.stack.uppermost.id, root);
  }

  async #openStack(): Promise<Open> {
    const stack = await this.#openLayers().catch((error) => {
      // A commit has put other layers in their place at this moment.
      if (isVarveError(error, 'NOT_FOUND')) return this.#openLayers();
      throw error;
    });
    const gate = new SwitchDevice(this.#hasWritten ? stack : new TellingDevice(stack, () => this.#wrote()));
    return { stack, gate, device: checkedDevice(gate, { label: this.#label }) };
  }

  async #openLayers(): Promise<OverlayStack> {
    const layers = this.#store.overlays.stack(this.who.image, this.who.owner);
    if (layers.length === 0) throw new VarveError('NOT_FOUND', `${this.#label}: its overlay was dropped`);
    return await OverlayStack.open(this.#store, layers);
  }

  #wrote(): void {
    this.#hasWritten = true;
    this.#listener.wrote();
  }

  async #disconnect(protocol: MachineProtocol | undefined): Promise<void> {
    using _lock = await this.#lock.lock();
    this.#count -= 1;
    // Those that were ended were told of.
    if (!this.#ended.signal.aborted) this.#listener.disconnected(protocol);
    if (this.#count > 0 || this.#open === undefined) return;
    await this.#open.stack.flush();
    this.#idleTimer = setTimeout(() => void this.#closeIdle(), this.#listener.idleMs()).unref();
  }

  async #closeIdle(): Promise<void> {
    using _lock = await this.#lock.lock();
    if (this.#count > 0) return;
    try {
      await this.#close();
    } catch (error) {
      log.error(error);
    }
  }

  async #close(isDropped = false): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    const { released } = await open.gate.replace(endedDevice(open.gate, this.#endedError().message));
    await released;
    await using stack = open.stack;
    if (!isDropped) await stack.flush();
  }

  #endedError(): VarveError {
    return new VarveError('IO', `${this.#label}: the disk is another one now, as the machine has begun a boot`);
  }
}
