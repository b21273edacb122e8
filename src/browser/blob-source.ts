import { VarveError } from '../base/varve-error.ts';
import type { CountedSource, FetchedAmount } from './counted-source.ts';

/** Reads a `Blob`: a file that somebody chose, or bytes. */
export class BlobSource implements CountedSource {
  readonly size: number;
  readonly #blob: Blob;
  readonly #label: string;
  #requestCount = 0;
  #byteCount = 0;

  constructor(blob: Blob, label: string) {
    this.size = blob.size;
    this.#blob = blob;
    this.#label = label;
  }

  get amount(): FetchedAmount {
    return { requestCount: this.#requestCount, byteCount: this.#byteCount };
  }

  /**
   * Fills `targets`, one behind the other, from `offset`.
   *
   * @throws VarveError `CONFLICT` for a file that was changed or removed, `IO`
   */
  async read(targets: readonly Uint8Array[], offset: number): Promise<void> {
    const length = targets.reduce((sum, target) => sum + target.length, 0);
    const bytes = await this.#bytes(offset, length);
    let position = 0;
    for (const target of targets) {
      target.set(bytes.subarray(position, position + target.length));
      position += target.length;
    }
    this.#requestCount += 1;
    this.#byteCount += length;
  }

  close(): void {}

  async #bytes(offset: number, length: number): Promise<Uint8Array> {
    let bytes: Uint8Array;
    try {
      bytes = new Uint8Array(await this.#blob.slice(offset, offset + length).arrayBuffer());
    } catch (cause) {
      throw readError(this.#label, cause);
    }
    if (bytes.length === length) return bytes;
    throw new VarveError('CONFLICT', `cannot read ${this.#label}: it got shorter since it was opened; choose it again`);
  }
}

/** A browser refuses files that are not as they were when they were chosen. Source: File API, section 8. */
function readError(label: string, cause: unknown): VarveError {
  const { message, name } = cause as Error;
  if (name === 'NotReadableError' || name === 'NotFoundError') {
    const why = 'it was changed or removed since it was chosen, or may not be read';
    return new VarveError('CONFLICT', `cannot read ${label}: ${why}; choose it again`, { cause });
  }
  return new VarveError('IO', `cannot read ${label}: ${message}`, { cause });
}
