import { writeSync } from 'node:fs';

/** What a sink writes to: `process.stderr`, another stream, or anything with a `write`. */
export interface TextStream {
  /** Where it is there, text goes to the file descriptor at once, past the stream. */
  readonly fd?: number | undefined;
  write(text: string): unknown;
}

/** How long a reader may take nothing before what it was to read is dropped. */
const patienceMs = 5000;
const pauseMs = 2;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes text so that it is gone when `write` returns and nothing is lost when the process ends right after. Never
 * throws: when nobody reads any more, or the disk is full, there is nobody to tell.
 */
export class TextOutput {
  readonly #stream: TextStream;
  #broken = false;
  #stalled = false;

  constructor(stream: TextStream) {
    this.#stream = stream;
  }

  write(text: string): void {
    if (this.#broken) return;
    try {
      if (typeof this.#stream.fd === 'number') this.#writeTo(this.#stream.fd, Buffer.from(text));
      else this.#stream.write(text);
    } catch {
      // EPIPE, EIO and the like: nothing that comes after would fare better.
      this.#broken = true;
    }
  }

  /** A pipe that does not block may be full (EAGAIN): waits for its reader, but not for one that has stopped. */
  #writeTo(fd: number, bytes: Uint8Array): void {
    let waitedMs = this.#stalled ? patienceMs : 0;
    for (let position = 0; position < bytes.length; ) {
      const written = tryWrite(fd, bytes, position);
      position += written;
      if (written > 0) {
        waitedMs = 0;
        this.#stalled = false;
      } else if (waitedMs >= patienceMs) {
        this.#stalled = true;
        return;
      } else {
        Atomics.wait(sleeper, 0, 0, pauseMs);
        waitedMs += pauseMs;
      }
    }
  }
}

/** How many bytes went; 0 where the descriptor cannot take any now. */
function tryWrite(fd: number, bytes: Uint8Array, position: number): number {
  try {
    return writeSync(fd, bytes, position);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
    throw error;
  }
}
