import { AskedWorker } from './asked-worker.ts';
import type { StackOwner } from './edit-overlays.ts';
import { type OverlayAnswers, type OverlayRequest, startOverlayWorker } from './overlay-worker.ts';

/**
 * Changes a stack of overlays in the catalog, and stores its snapshots, in threads of their own: a commit waits for the
 * disk, and storing takes a processor, while the requests of a guest must go on. What somebody waits for does not wait for
 * what is being stored: that has a thread for itself, which is nicer to others.
 */
export class OverlayThread implements AsyncDisposable {
  readonly #catalog: AskedWorker;
  readonly #storing: AskedWorker;

  /** A thread starts with the first request. */
  constructor(storePath: string, { image, owner }: StackOwner) {
    this.#catalog = new AskedWorker(() => startOverlayWorker({ storePath, image, owner, isBackground: false }));
    this.#storing = new AskedWorker(() => startOverlayWorker({ storePath, image, owner, isBackground: true }));
  }

  /** Asks a thread to do something. @throws what doing it throws */
  async ask<Kind extends OverlayRequest['kind']>(
    request: OverlayRequest & { readonly kind: Kind },
  ): Promise<OverlayAnswers[Kind]> {
    const worker = request.kind === 'store' ? this.#storing : this.#catalog;
    return (await worker.ask(request)) as OverlayAnswers[Kind];
  }

  /** Waits for what they were asked. */
  async [Symbol.asyncDispose](): Promise<void> {
    await using stack = new AsyncDisposableStack();
    stack.use(this.#catalog);
    stack.use(this.#storing);
  }
}
