import { LruMap } from '../../base/lru.ts';
import { VarveError } from '../../base/varve-error.ts';
import type { MaybePromise } from '../../block/block-device.ts';
import type { GuestFile } from '../../guest/guest-tree.ts';

const pageLength = 65_536;
const mostPages = 512;

/** Pages of several files that were read: at most 32 MiB, whatever the files hold. */
export class FilePages {
  readonly #pages = new LruMap<string, Uint8Array>(mostPages);
  #files = 0;

  /** What reads bytes of a file through these pages. */
  open(file: GuestFile): PagedFile {
    this.#files += 1;
    return new PagedFile(file, this.#pages, this.#files);
  }
}

/** A file whose bytes are at hand once something near them was read. */
export class PagedFile {
  readonly #file: GuestFile;
  readonly #pages: LruMap<string, Uint8Array>;
  readonly #number: number;
  #lastIndex = -1;
  #lastPage = new Uint8Array();

  constructor(file: GuestFile, pages: LruMap<string, Uint8Array>, number: number) {
    this.#file = file;
    this.#pages = pages;
    this.#number = number;
  }

  get size(): number {
    return this.#file.stat.size;
  }

  get path(): string {
    return this.#file.path;
  }

  /** Bytes of the file, at once where their page is at hand. @throws VarveError `CORRUPT` past the file's end */
  bytes(offset: number, length: number): MaybePromise<Uint8Array> {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      throw new VarveError('CORRUPT', `the file ends before byte ${offset + length}`);
    }
    const index = Math.floor(offset / pageLength);
    const start = offset - index * pageLength;
    if (start + length > pageLength) return this.#readAcross(offset, length);
    const page = this.#page(index);
    return page instanceof Promise
      ? page.then((loaded) => loaded.subarray(start, start + length))
      : page.subarray(start, start + length);
  }

  #page(index: number): MaybePromise<Uint8Array> {
    if (index === this.#lastIndex) return this.#lastPage;
    const page = this.#pages.get(`${this.#number}:${index}`);
    return page === undefined ? this.#load(index) : this.#keep(index, page);
  }

  #keep(index: number, page: Uint8Array): Uint8Array {
    [this.#lastIndex, this.#lastPage] = [index, page as Uint8Array<ArrayBuffer>];
    return page;
  }

  async #load(index: number): Promise<Uint8Array> {
    const offset = index * pageLength;
    const page = await this.#readInto(new Uint8Array(Math.min(pageLength, this.size - offset)), offset);
    this.#pages.set(`${this.#number}:${index}`, page);
    return this.#keep(index, page);
  }

  async #readAcross(offset: number, length: number): Promise<Uint8Array> {
    return await this.#readInto(new Uint8Array(length), offset);
  }

  async #readInto(target: Uint8Array, offset: number): Promise<Uint8Array> {
    const length = await this.#file.fileSystem.read(this.#file.node, target, offset);
    if (length < target.length) throw new VarveError('CORRUPT', `the file ends at byte ${offset + length}`);
    return target;
  }
}
