import type { FileHandle } from 'node:fs/promises';
import { systemError } from '../base/varve-error.ts';
import type { MaybePromise } from '../block/block-device.ts';
import { endedError, writeFully } from '../block/positional-io.ts';

/** Bytes that are collected before they are handed to the thread pool. */
const pieceLength = 2 ** 20;
/** How many pieces are being filled or written at a time. */
const pieceCount = 5;
/** A promise costs more than writing less than this. */
const backgroundLength = 64 * 2 ** 10;

/** Bytes that are on their way to byte `offset` of the file. */
interface Piece {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly offset: number;
  /** How much of `bytes` is filled. */
  length: number;
}

/**
 * Writes a file in the thread pool while its caller prepares what comes next: bytes are copied, those that go one
 * after the other are joined, and a few pieces are under way at a time. What failed is told at a later call, `settle`
 * at the latest. One call at a time.
 */
export class WriteBehind {
  readonly #file: FileHandle;
  readonly #name: string;
  readonly #spare: Uint8Array<ArrayBuffer>[] = [];
  readonly #underWay = new Map<Piece, Promise<void>>();
  #current: Piece | undefined;
  #failure: unknown;

  /** `name` is what errors call the file; closing it is up to the caller. */
  constructor(file: FileHandle, name: string) {
    this.#file = file;
    this.#name = name;
  }

  /** Takes all of `source` to be written at byte `offset`; it is the caller's again when this is done. */
  write(source: Uint8Array, offset: number): MaybePromise<void> {
    this.#throwFailure();
    for (let done = 0; done < source.length; ) {
      const piece = this.#pieceAt(offset + done);
      if (piece instanceof Promise) return piece.then(() => this.write(source.subarray(done), offset + done));
      const length = Math.min(source.length - done, pieceLength - piece.length);
      piece.bytes.set(source.subarray(done, done + length), piece.length);
      piece.length += length;
      done += length;
    }
    return undefined;
  }

  /** Waits until the file has all that was taken. @throws what writing failed with */
  async settle(): Promise<void> {
    await this.#send();
    await Promise.all(this.#underWay.values());
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** The piece that goes on at byte `position` of the file and has room; a promise when there will be one. */
  #pieceAt(position: number): Piece | Promise<unknown> {
    const current = this.#current;
    if (current !== undefined && current.offset + current.length === position && current.length < pieceLength) {
      return current;
    }
    const sending = this.#send();
    if (sending !== undefined) return sending;
    if (this.#underWay.size >= pieceCount - 1) return Promise.race(this.#underWay.values());
    const bytes = this.#spare.pop() ?? new Uint8Array(pieceLength);
    this.#current = { bytes, offset: position, length: 0 };
    return this.#current;
  }

  /** Writes what was collected, or begins to: after what is under way to the same place. */
  #send(): MaybePromise<void> {
    const piece = this.#current;
    this.#current = undefined;
    if (piece === undefined) return undefined;
    const others = [...this.#underWay].filter(([other]) => overlap(piece, other)).map(([, writing]) => writing);
    if (others.length > 0) return Promise.all(others).then(() => this.#start(piece));
    return this.#start(piece);
  }

  #start(piece: Piece): void {
    if (piece.length >= backgroundLength) this.#underWay.set(piece, this.#writeInBackground(piece));
    else {
      writeFully(this.#file.fd, piece.bytes.subarray(0, piece.length), piece.offset, this.#name);
      this.#spare.push(piece.bytes);
    }
  }

  async #writeInBackground(piece: Piece): Promise<void> {
    const { bytes, length, offset } = piece;
    try {
      for (let done = 0; done < length; ) {
        const { bytesWritten } = await this.#file.write(bytes, done, length - done, offset + done);
        if (bytesWritten === 0) throw endedError('write', this.#name, offset + done);
        done += bytesWritten;
      }
    } catch (error) {
      this.#failure ??= systemError(`write ${this.#name}`, error);
    }
    this.#underWay.delete(piece);
    this.#spare.push(bytes);
  }
}

function overlap(one: Piece, other: Piece): boolean {
  return one.offset < other.offset + other.length && other.offset < one.offset + one.length;
}
