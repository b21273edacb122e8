import fs from 'node:fs';
import net from 'node:net';
import { Duplex } from 'node:stream';

/**
 * A client on standard input and output: one socket for both, as inetd and libnbd hand it over, or two pipes. Nothing
 * else may be printed there.
 */
export function standardStream(): Duplex {
  const [input, output] = [fs.fstatSync(0), fs.fstatSync(1)];
  if (input.isSocket() && output.ino === input.ino && output.dev === input.dev) {
    return new net.Socket({ fd: 0, readable: true, writable: true });
  }
  return new PipeStream();
}

/** Two pipes as one stream. */
class PipeStream extends Duplex {
  readonly #input = process.stdin;
  readonly #output = process.stdout;

  constructor() {
    super();
    this.#input.on('data', (chunk) => {
      if (!this.push(chunk)) this.#input.pause();
    });
    this.#input.on('end', () => this.push(null));
    this.#input.on('error', (error) => this.destroy(error));
    this.#output.on('error', (error) => this.destroy(error));
    this.#input.pause();
  }

  override _read(): void {
    this.#input.resume();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#output.write(chunk, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#input.destroy();
    done(error);
  }
}
