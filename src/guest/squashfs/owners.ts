import { VarveError } from '../../base/varve-error.ts';

const mostOwners = 2 ** 16 - 1;

/** The user and group ids that a squashfs has, each once; inodes name them by their index. */
export class Owners {
  readonly #indices = new Map<number, number>();

  get count(): number {
    return this.#indices.size;
  }

  /** @throws VarveError `UNSUPPORTED` where there are too many */
  indexOf(id: number): number {
    const known = this.#indices.get(id);
    if (known !== undefined) return known;
    const index = this.#indices.size;
    if (index === mostOwners) throw new VarveError('UNSUPPORTED', `squashfs cannot hold over ${mostOwners} owners`);
    this.#indices.set(id, index);
    return index;
  }

  /** As the table of them has them. */
  records(): Uint8Array[] {
    return Array.from(this.#indices.keys(), (id) => {
      const record = Buffer.alloc(4);
      record.writeUInt32LE(id >>> 0);
      return record;
    });
  }
}
