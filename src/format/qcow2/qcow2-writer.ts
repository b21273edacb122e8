import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import type { Steps } from '../../block/run-steps.ts';
import type { ClusterMap } from './cluster-map.ts';
import { ClusterWriter } from './cluster-writer.ts';
import { ClusterZeroer } from './cluster-zeroer.ts';
import { isContradiction } from './contradiction.ts';
import type { ImageTables } from './image-tables.ts';
import { resizeImage } from './resize-image.ts';

/** What a `Qcow2Writer` works on. */
export interface Qcow2WriterOptions {
  readonly tables: ImageTables;
  readonly map: ClusterMap;
  readonly backing: BlockDevice | undefined;
  /** Reads the disk as it is now. */
  readonly read: (target: Uint8Array, offset: number) => MaybePromise<void>;
}

/** The changing side of an opened image. Requests may come several at a time, and are synchronous as far as the file is. */
export class Qcow2Writer {
  readonly #tables: ImageTables;
  readonly #map: ClusterMap;
  readonly #writer: ClusterWriter;
  readonly #zeroer: ClusterZeroer;
  /** Whether the last job that changed tables did. */
  #hasFailed = false;

  constructor(options: Qcow2WriterOptions) {
    this.#tables = options.tables;
    this.#map = options.map;
    this.#writer = new ClusterWriter(options);
    this.#zeroer = new ClusterZeroer(options.tables, options.map, this.#writer);
  }

  /** Hot: what is written over data of its own, in one piece, changes no table (`bench/write.ts`). */
  write(source: Uint8Array, offset: number): MaybePromise<void> {
    if (this.#tables.hasBegun) {
      this.#tables.noteWrite(offset, source.length);
      const run = this.#map.lookupExclusive(offset, source.length);
      // What fails here fails once more below, where somebody hears of it.
      if (run instanceof Promise) run.catch(() => undefined);
      else if (run?.length === source.length && this.#tables.tableIn(run.hostOffset, run.length) === undefined) {
        return this.#tables.lock.track(this.#tables.data.write(source, run.hostOffset, offset));
      }
    }
    return this.#changeRange(offset, source.length, () => this.#writer.write(source, offset));
  }

  zero(offset: number, length: number): MaybePromise<void> {
    return this.#changeRange(offset, length, () => this.#zeroer.zero(offset, length));
  }

  trim(offset: number, length: number): MaybePromise<void> {
    return this.#changeRange(offset, length, () => this.#zeroer.trim(offset, length));
  }

  flush(): MaybePromise<void> {
    return this.#tables.lock.change(() => this.#noting(this.#tables.commit()));
  }

  resize(size: number): MaybePromise<void> {
    const parts = { tables: this.#tables, writer: this.#writer, zeroer: this.#zeroer };
    return this.#change(() => resizeImage(parts, size));
  }

  /** Remembers a read until it is done, so that its clusters stay what they are. */
  track(pending: MaybePromise<void>): MaybePromise<void> {
    return this.#tables.lock.track(pending);
  }

  /** Brings the file up to date. Where the last request failed, nobody needs to hear that this does, too. */
  close(): MaybePromise<void> {
    return this.#tables.lock.change(() => this.#close());
  }

  *#close(): Steps {
    try {
      yield* this.#tables.finish();
    } catch (error) {
      if (!this.#hasFailed) throw error;
    }
  }

  *#noting(work: Steps): Steps {
    this.#hasFailed = true;
    try {
      yield* work;
    } catch (error) {
      if (isContradiction(error)) yield* this.#tables.markCorrupt();
      throw error;
    }
    this.#hasFailed = false;
  }

  #changeRange(offset: number, length: number, work: () => Steps): MaybePromise<void> {
    const tables = this.#tables;
    return this.#change(function* () {
      tables.noteWrite(offset, length);
      yield* work();
    });
  }

  #change(work: () => Steps): MaybePromise<void> {
    return this.#tables.lock.change(() => this.#noting(this.#begun(work)));
  }

  *#begun(work: () => Steps): Steps {
    if (!this.#tables.hasBegun) yield* this.#tables.begin();
    yield* work();
  }
}
