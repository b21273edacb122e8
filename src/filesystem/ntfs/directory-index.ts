import { LruMap } from '../../base/lru.ts';
import { utf16Bytes } from '../utf16-name.ts';
import { attributeTypes } from './attribute.ts';
import type { AttributeStream } from './attribute-stream.ts';
import type { FileName } from './file-name.ts';
import { applyFixups } from './fixup.ts';
import { decodeIndexNode, type IndexEntry } from './index-node.ts';
import type { NtfsFile } from './ntfs-file.ts';
import type { NtfsVolume } from './ntfs-volume.ts';
import { compareNames, type UpcaseTable } from './upcase-table.ts';

/** What the attributes of a directory's index are named. */
const indexName = utf16Bytes('$I30');
const longestRoot = 65_536;
const largestBlock = 65_536;
const blockHeader = 24;
const rootHeader = 16;
/** Files from here on are people's; those before are the file system's own. */
const firstFile = 24;
/** No tree has more levels: each has at least as many nodes again as the one above. */
const mostLevels = 32;

/** How many nodes of a directory are kept. */
const cachedNodes = 32;

/** A file in a directory. */
export interface NamedFile {
  readonly record: number;
  readonly name: FileName;
}

/** The names of a directory, in a tree. */
export class DirectoryIndex {
  readonly #volume: NtfsVolume;
  readonly #title: string;
  readonly #root: readonly IndexEntry[];
  readonly #blockLength: number;
  readonly #blocks: AttributeStream | undefined;
  readonly #nodes = new LruMap<number, IndexEntry[]>(cachedNodes);

  private constructor(
    volume: NtfsVolume,
    title: string,
    root: { entries: readonly IndexEntry[]; blockLength: number },
    blocks: AttributeStream | undefined,
  ) {
    this.#volume = volume;
    this.#title = title;
    this.#root = root.entries;
    this.#blockLength = root.blockLength;
    this.#blocks = blocks;
  }

  /** @throws VarveError `CORRUPT` */
  static async open(volume: NtfsVolume, file: NtfsFile): Promise<DirectoryIndex> {
    const title = `the index of ${file.title}`;
    const root = await file.stream(attributeTypes.indexRoot, indexName);
    if (root === undefined || root.size > longestRoot || root.size < rootHeader)
      throw volume.corrupt(`${title} has no root`);
    const bytes = new Uint8Array(root.size);
    await root.read(bytes, 0);
    const view = new DataView(bytes.buffer);
    const blockLength = view.getUint32(8, true);
    if (view.getUint32(0, true) !== attributeTypes.fileName || view.getUint32(4, true) !== 1) {
      throw volume.corrupt(`${title} is not one of names`);
    }
    if (blockLength < 512 || blockLength > largestBlock || (blockLength & (blockLength - 1)) !== 0) {
      throw volume.corrupt(`${title} has blocks of ${blockLength} bytes`);
    }
    const entries = decodeIndexNode(bytes, rootHeader);
    if (typeof entries === 'string') throw volume.corrupt(`the root of ${title} ${entries}`);
    const blocks = await file.stream(attributeTypes.indexAllocation, indexName);
    return new DirectoryIndex(volume, title, { entries, blockLength }, blocks);
  }

  /** How long it is, and what it takes, in bytes. */
  get lengths(): { readonly size: number; readonly allocated: number } {
    return { size: this.#blocks?.size ?? 0, allocated: this.#blocks?.allocated ?? 0 };
  }

  /** All names but those of the file system's own files, in order. @throws VarveError `CORRUPT` */
  async *files(): AsyncGenerator<NamedFile> {
    yield* this.#filesIn(this.#root, new Set(), 0);
  }

  /** The file with this name, or else one whose name differs in upper and lower case only. @throws VarveError `CORRUPT` */
  async find(table: UpcaseTable, name: Uint16Array): Promise<NamedFile | undefined> {
    const equal: NamedFile[] = [];
    const isSame = ({ name: { name: other } }: NamedFile) => other.every((unit, index) => unit === name[index]);
    const search = async (entries: readonly IndexEntry[], seen: Set<number>, level: number): Promise<void> => {
      for (const { below, file } of entries) {
        const order = file === undefined ? 1 : compareNames(table, file.name.name, name);
        if (order < 0) continue;
        // Names that are equal but for their case stand side by side, some of them perhaps in the node below.
        if (below !== undefined) await search(await this.#node(below, seen, level), seen, level + 1);
        if (order === 0 && isVisible(file!)) equal.push(file!);
        if (order > 0 || equal.some(isSame)) return;
      }
    };
    await search(this.#root, new Set(), 0);
    return equal.find(isSame) ?? equal[0];
  }

  async *#filesIn(entries: readonly IndexEntry[], seen: Set<number>, level: number): AsyncGenerator<NamedFile> {
    for (const { below, file } of entries) {
      if (below !== undefined) yield* this.#filesIn(await this.#node(below, seen, level), seen, level + 1);
      if (file !== undefined && isVisible(file)) yield file;
    }
  }

  /** The entries of a node; `seen` has those that were met on the way. */
  async #node(number: number, seen: Set<number>, level: number): Promise<IndexEntry[]> {
    if (seen.has(number) || level >= mostLevels) {
      throw this.#volume.corrupt(`node ${number} of ${this.#title} is met twice`);
    }
    seen.add(number);
    const known = this.#nodes.get(number);
    if (known !== undefined) return known;
    const entries = await this.#readNode(number);
    this.#nodes.set(number, entries);
    return entries;
  }

  async #readNode(number: number): Promise<IndexEntry[]> {
    const what = `node ${number} of ${this.#title}`;
    const { clusterSize } = this.#volume.layout;
    const offset = number * (clusterSize <= this.#blockLength ? clusterSize : 512);
    const bytes = new Uint8Array(this.#blockLength);
    const length = Number.isSafeInteger(offset) ? await this.#blocks?.read(bytes, offset) : undefined;
    if (length !== bytes.length) throw this.#volume.corrupt(`${what} is not there`);
    const problem = applyFixups(bytes, 'INDX');
    const entries = problem ?? decodeIndexNode(bytes, blockHeader);
    if (typeof entries === 'string') throw this.#volume.corrupt(`${what} ${entries}`);
    return entries;
  }
}

function isVisible({ record }: NamedFile): boolean {
  return record >= firstFile;
}
