import { writeBytes } from './write-bytes.ts';

const pieceLength = 65_536;

/** Gathers what is printed bit by bit, and writes it to standard output in pieces. Disposing writes the rest. */
export class TextOutput implements Disposable {
  #pieces: (string | Uint8Array)[] = [];
  #length = 0;

  /** Prints a text, or bytes as they are; the ends of lines are among them. */
  add(piece: string | Uint8Array): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#length >= pieceLength) this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    const pieces = this.#pieces.splice(0);
    this.#length = 0;
    const isText = pieces.every((piece) => typeof piece === 'string');
    if (isText) writeBytes(Buffer.from(pieces.join('')));
    else writeBytes(Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece))));
  }
}
