import { VarveError } from '../../base/varve-error.ts';
import { type LiveImage, type OpenForWritingOptions, openImageForWriting } from '../../image/live-image.ts';
import type { Store } from '../../store/store.ts';
import type { ControlHandler, ControlMessage, ControlServer } from './control-server.ts';
import { HeldDisk } from './held-disk.ts';

/** The path under which an image is talked about. */
export function imagePath(uuid: string): string {
  return `/images/${uuid}`;
}

/**
 * An image that this process holds open for clients, and that others reach through the control socket: they ask for its
 * status and for snapshots, and, while no client is there, let it drop its changes or go back.
 */
export class HeldImage extends HeldDisk {
  readonly #store: Store;

  private constructor(store: Store, live: LiveImage) {
    super(live);
    this.#store = store;
    live.prepare();
  }

  /** Opens an image, and lets `control` talk about it. @throws what `openImageForWriting` throws */
  static async open(
    store: Store,
    name: string,
    control: ControlServer,
    options: OpenForWritingOptions,
  ): Promise<HeldImage> {
    const { uuid } = store.images.get(name);
    const held = new HeldImage(store, await openImageForWriting(store, name, { ...options, socket: control.path }));
    const path = imagePath(uuid);
    const handle = (method: 'GET' | 'POST', end: string, handler: ControlHandler): void =>
      void held.handlers.use(control.handle(method, path + end, handler));
    handle('GET', '', () => held.#status());
    handle('GET', '/changes', () => ({ ranges: held.live.changes() }));
    handle('POST', '/snapshots', (message) => held.#snapshot(message));
    handle('POST', '/discard', () => held.#discard());
    handle('POST', '/restore', (message) => held.#restore(message));
    return held;
  }

  #status(): ControlMessage {
    return { ...this.live.status(), clientCount: this.clientCount, pid: process.pid };
  }

  async #snapshot(details: ControlMessage): Promise<ControlMessage> {
    const { stored: _stored, ...taken } = await this.live.snapshot({
      message: textOf(details.message),
      author: textOf(details.author),
      tag: textOf(details.tag),
      time: numberOf(details.time),
    });
    return taken;
  }

  async #discard(): Promise<ControlMessage> {
    this.#refuseClients('drop what they wrote');
    const { changedBytes } = this.live.status();
    await this.live.discard();
    return { changedBytes };
  }

  async #restore(message: ControlMessage): Promise<ControlMessage> {
    this.#refuseClients('swap the disk beneath them');
    const { message: text, author, time } = message;
    const snapshot = this.#store.images.resolve(String(message.reference));
    const { number } = await this.live.restore(snapshot, {
      ...{ message: textOf(text), author: textOf(author), time: numberOf(time) },
    });
    return { number };
  }

  #refuseClients(what: string): void {
    if (this.clientCount === 0) return;
    const clients = this.clientCount === 1 ? 'a client uses it' : `${this.clientCount} clients use it`;
    throw new VarveError(
      'BUSY',
      `cannot ${what}: ${clients} (process ${process.pid} serves ${this.live.name}); stop the guest first`,
    );
  }
}

function numberOf(value: unknown): number | undefined {
  if (value === undefined || Number.isSafeInteger(value)) return value as number | undefined;
  throw new VarveError('INVALID', `${JSON.stringify(value)} is no time`);
}

function textOf(value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw new VarveError('INVALID', `${JSON.stringify(value)} is no text`);
}
