import type { BlockDevice } from '../../block/block-device.ts';
import type { LiveImage } from '../../image/live-image.ts';

/** A disk of the store that this process holds open for clients, and of which the control socket may talk. */
export abstract class HeldDisk implements AsyncDisposable {
  readonly device: BlockDevice;
  protected readonly live: LiveImage;
  /** What answers on the control socket until this is disposed of. */
  protected readonly handlers = new DisposableStack();
  #clientCount = 0;

  protected constructor(live: LiveImage) {
    this.live = live;
    this.device = live.device;
  }

  /** Counts a client until it is disposed of. */
  connect(): Disposable {
    this.#clientCount += 1;
    let isThere = true;
    return {
      [Symbol.dispose]: () => {
        if (isThere) this.#clientCount -= 1;
        isThere = false;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.handlers.dispose();
    await this.live[Symbol.asyncDispose]();
  }

  protected get clientCount(): number {
    return this.#clientCount;
  }
}
