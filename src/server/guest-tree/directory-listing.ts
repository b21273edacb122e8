import { VarveError } from '../../base/varve-error.ts';
import type { FileSystem } from '../../filesystem/file-system.ts';

/** More names than that are in no directory that anybody could use; they would take about 200 MB. */
const mostNames = 4 << 20;
/** The kernel takes no longer names, in bytes. Source: FUSE_NAME_MAX in fs/fuse/fuse_i.h. */
const longestName = 1024;
const firstArena = 1024;
const empty = 0xffff_ffff;

/**
 * The names in a directory and their nodes, packed: some directories hold millions. They are in the order of the nodes, in
 * which what is told of them stands on the disk, and mostly their content, too: a directory of a large ext4 lists them in an
 * order that makes whoever looks at each jump about.
 */
export class DirectoryListing {
  readonly #names: Uint8Array;
  /** Where each name ends. */
  readonly #ends: Uint32Array;
  readonly #nodes: Float64Array;
  /** Indexes by the hash of their names, made when a name is looked for the first time. */
  #table: Uint32Array | undefined;

  private constructor(names: Uint8Array, ends: Uint32Array, nodes: Float64Array) {
    this.#names = names;
    this.#ends = ends;
    this.#nodes = nodes;
  }

  /** @throws VarveError as reading the directory does, `UNSUPPORTED` for one with millions of names */
  static async read(fileSystem: Pick<FileSystem, 'readDirectory'>, directory: number): Promise<DirectoryListing> {
    let names = new Uint8Array(firstArena);
    const ends: number[] = [];
    const nodes: number[] = [];
    let length = 0;
    for await (const { name, node } of fileSystem.readDirectory(directory)) {
      if (name.length > longestName) continue;
      if (nodes.length === mostNames) {
        throw new VarveError('UNSUPPORTED', `a directory with more than ${mostNames} names cannot be listed`);
      }
      if (length + name.length > names.length) names = enlarged(names, name.length);
      names.set(name, length);
      length += name.length;
      ends.push(length);
      nodes.push(node);
    }
    const read = new DirectoryListing(names.slice(0, length), Uint32Array.from(ends), Float64Array.from(nodes));
    return nodes.every((node, index) => index === 0 || nodes[index - 1]! <= node) ? read : read.#sorted();
  }

  #sorted(): DirectoryListing {
    const order = Uint32Array.from(this.#nodes, (_, index) => index);
    order.sort((a, b) => this.#nodes[a]! - this.#nodes[b]! || a - b);
    const names = new Uint8Array(this.#names.length);
    const ends = new Uint32Array(order.length);
    let length = 0;
    for (const [index, old] of order.entries()) {
      names.set(this.name(old), length);
      length += this.nameLength(old);
      ends[index] = length;
    }
    return new DirectoryListing(
      names,
      ends,
      Float64Array.from(order, (old) => this.node(old)),
    );
  }

  /** The number of names. */
  get length(): number {
    return this.#nodes.length;
  }

  /** What it takes in memory, in bytes. */
  get weight(): number {
    return 256 + this.#names.length + this.length * 24;
  }

  nameLength(index: number): number {
    return this.#ends[index]! - this.#start(index);
  }

  /** A view of it. */
  name(index: number): Uint8Array {
    return this.#names.subarray(this.#start(index), this.#ends[index]!);
  }

  node(index: number): number {
    return this.#nodes[index]!;
  }

  /** The node of exactly this name. */
  find(name: Uint8Array): number | undefined {
    this.#table ??= this.#makeTable();
    const mask = this.#table.length - 1;
    for (let slot = hash(name, 0, name.length) & mask; ; slot = (slot + 1) & mask) {
      const index = this.#table[slot]!;
      if (index === empty) return undefined;
      if (this.#isCalled(index, name)) return this.node(index);
    }
  }

  #makeTable(): Uint32Array {
    const table = new Uint32Array(2 ** Math.ceil(Math.log2(this.length * 2 + 2))).fill(empty);
    for (let index = 0; index < this.length; index += 1) {
      let slot = hash(this.#names, this.#start(index), this.#ends[index]!) & (table.length - 1);
      while (table[slot] !== empty) slot = (slot + 1) & (table.length - 1);
      table[slot] = index;
    }
    return table;
  }

  #isCalled(index: number, name: Uint8Array): boolean {
    const start = this.#start(index);
    if (this.#ends[index]! - start !== name.length) return false;
    for (let at = 0; at < name.length; at += 1) if (this.#names[start + at] !== name[at]) return false;
    return true;
  }

  #start(index: number): number {
    return index === 0 ? 0 : this.#ends[index - 1]!;
  }
}

function enlarged(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length * 2 + length);
  larger.set(bytes);
  return larger;
}

/** FNV-1a. Source: draft-eastlake-fnv. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  let value = 0x811c9dc5;
  for (let at = start; at < end; at += 1) value = Math.imul(value ^ bytes[at]!, 0x01000193);
  return value >>> 0;
}
