import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../block/block-device.ts';
import type { TarMember } from './tar-members.ts';

/** A member of an archive as a file that can be read. The archive belongs to it. */
export class MemberDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize = 512;
  readonly supports: DeviceSupport;
  readonly #archive: BlockDevice;
  readonly #offset: number;

  constructor(archive: BlockDevice, { offset, size }: TarMember) {
    this.size = size;
    this.supports = { write: false, trim: false, zero: false, extents: archive.supports.extents };
    this.#archive = archive;
    this.#offset = offset;
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    return this.#archive.read(target, this.#offset + offset);
  }

  write(): never {
    throw new TypeError('a member of an archive is only read');
  }

  zero(): never {
    throw new TypeError('a member of an archive is only read');
  }

  trim(): never {
    throw new TypeError('a member of an archive is only read');
  }

  flush(): void {}

  async *extents(offset: number, length: number): AsyncGenerator<Extent> {
    for await (const extent of this.#archive.extents(this.#offset + offset, length)) {
      yield { ...extent, offset: extent.offset - this.#offset };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#archive[Symbol.asyncDispose]();
  }
}
