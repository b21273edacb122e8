import { isVarveError, VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { alignUp } from '../../bytes/align.ts';
import { FirstNames } from '../first-names.ts';
import { bytesOf, type GuestFile, type GuestTree, nameOf } from '../guest-tree.ts';
import { lookAtFile } from '../look-at-files.ts';
import { type WalkOptions, walkGuest } from '../walk-guest.ts';
import { AttributeSets } from './attribute-sets.ts';
import { DataOutput, dataBlockLength } from './data-output.ts';
import { type ListedName, type WrittenInode, writeListing } from './directory-listing.ts';
import { encodeDirectory, encodeFile, encodeSpecial, type InodeCommon } from './encode-inode.ts';
import { encodeSuperblock, superblockLength } from './encode-superblock.ts';
import { FileContents } from './file-content.ts';
import { Fragments } from './fragments.ts';
import { lookupTable } from './lookup-table.ts';
import { MetadataOutput, referenceOf } from './metadata-output.ts';
import { Owners } from './owners.ts';

/** What goes into a squashfs, and who hears of what does not. */
export interface WriteSquashfsOptions extends Pick<WalkOptions, 'oneFileSystem' | 'wanted'> {
  /** Hears of what cannot be read: it is left out, or has zeros in the place of its content. */
  readonly onProblem: (error: VarveError) => void;
  /** When it was made, in seconds since 1970. */
  readonly time: number;
  readonly signal?: AbortSignal | undefined;
}

/** How many files a squashfs holds, and its length in bytes. */
export interface SquashfsSummary {
  readonly inodes: number;
  readonly length: number;
}

/** What the file system is padded to, as loop devices want it. */
const padding = 4096;

/**
 * Writes a directory and all below it as a squashfs, packed by zstd, as live systems boot from. ACLs and times before 1970 have
 * no place in it.
 *
 * @param target which is written to from its beginning on, the first bytes last
 * @throws VarveError `ABORTED`, and what the target throws
 */
export async function writeSquashfs(
  tree: GuestTree,
  start: GuestFile,
  target: Pick<BlockDevice, 'write'>,
  options: WriteSquashfsOptions,
): Promise<SquashfsSummary> {
  if (start.kind !== 'directory') throw new VarveError('INVALID', `${start.path} is no directory`);
  const writer = new SquashfsWriter(target, options);
  for await (const { entry, depth } of walkGuest(tree, start, options)) {
    options.signal?.throwIfAborted();
    const file = await lookAtFile(entry, options.onProblem);
    if (file !== undefined) await writer.add(file, depth);
  }
  return await writer.end();
}

/** A directory whose names are still to come. */
interface OpenDirectory {
  readonly file: GuestFile;
  readonly number: number;
  readonly attributes: number;
  readonly names: ListedName[];
}

class SquashfsWriter {
  readonly #target: Pick<BlockDevice, 'write'>;
  readonly #options: WriteSquashfsOptions;
  readonly #data: DataOutput;
  readonly #fragments: Fragments;
  readonly #contents: FileContents;
  readonly #inodes = new MetadataOutput();
  readonly #listings = new MetadataOutput();
  readonly #attributes = new AttributeSets();
  readonly #owners = new Owners();
  readonly #written = new FirstNames<WrittenInode>();
  readonly #open: OpenDirectory[] = [];
  #root: WrittenInode | undefined;
  #inodeCount = 0;

  constructor(target: Pick<BlockDevice, 'write'>, options: WriteSquashfsOptions) {
    this.#target = target;
    this.#options = options;
    this.#data = new DataOutput(target, superblockLength);
    this.#fragments = new Fragments(this.#data);
    this.#contents = new FileContents(this.#data, this.#fragments, options.onProblem);
  }

  /** Takes the next file of a walk. */
  async add(file: GuestFile, depth: number): Promise<void> {
    while (this.#open.length > depth) this.#closeDirectory();
    const first = this.#written.get(file);
    if (first !== undefined) return this.#list(file, first);
    try {
      const attributes = this.#attributes.add(await file.fileSystem.extendedAttributes(file.node));
      if (file.kind === 'directory') {
        this.#open.push({ file, number: this.#nextNumber(), attributes, names: [] });
        return;
      }
      const encode = await this.#prepare(file);
      const inode = this.#write(file, encode, { number: this.#nextNumber(), attributes });
      this.#written.set(file, inode);
      this.#list(file, inode);
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) throw error;
      this.#options.onProblem(error);
    }
  }

  async end(): Promise<SquashfsSummary> {
    while (this.#open.length > 0) this.#closeDirectory();
    if (this.#root === undefined)
      throw new VarveError('CORRUPT', 'cannot make a squashfs: its directory cannot be read');
    const fragments = await this.#fragments.end();
    const inodeTable = await this.#data.end();
    const parts: Uint8Array[] = [this.#inodes.end().bytes, this.#listings.end().bytes];
    let position = inodeTable + parts[0]!.length + parts[1]!.length;
    const table = (records: Iterable<Uint8Array>): number => {
      const { bytes, list } = lookupTable(records, position);
      parts.push(bytes);
      position += bytes.length;
      return list;
    };
    const fragmentTable = table(fragments.map(fragmentRecord));
    const idTable = table(this.#owners.records());
    const attributes = this.#attributes.end(position);
    if (attributes !== undefined) parts.push(attributes.bytes);
    const size = position + (attributes?.bytes.length ?? 0);
    const length = alignUp(size, padding);
    await this.#target.write(Buffer.concat([...parts, Buffer.alloc(length - size)]), inodeTable);
    const superblock = encodeSuperblock({
      ...{ inodeCount: this.#inodeCount, time: this.#options.time, blockSize: dataBlockLength, size },
      ...{ fragmentCount: fragments.length, idCount: this.#owners.count, root: referenceOf(this.#root.position) },
      ...{ idTable, attributeTable: attributes?.header, inodeTable, fragmentTable },
      directoryTable: inodeTable + parts[0]!.length,
    });
    await this.#target.write(superblock, 0);
    return { inodes: this.#inodeCount, length };
  }

  /** Brings in what a file holds; its inode's bytes once it is known which number it has. */
  async #prepare(file: GuestFile): Promise<(common: InodeCommon) => Uint8Array> {
    if (file.kind === 'file') {
      const content = await this.#contents.write(file);
      return (common) => encodeFile(common, content);
    }
    const target = file.kind === 'symlink' ? await file.fileSystem.readLink(file.node) : undefined;
    return (common) => encodeSpecial(common, target);
  }

  #closeDirectory(): void {
    const { attributes, file, names, number } = this.#open.pop()!;
    const listing = writeListing(this.#listings, names);
    const links = 2 + names.filter(({ inode }) => inode.kind === 'directory').length;
    // The root's parent is a number that no inode has.
    const parent = this.#open.at(-1)?.number ?? this.#inodeCount + 1;
    const encode = (common: InodeCommon): Uint8Array => encodeDirectory(common, listing, { parent, links });
    const inode = this.#write(file, encode, { number, attributes });
    if (this.#open.length === 0) this.#root = inode;
    else this.#list(file, inode);
  }

  #write(
    { kind, stat }: GuestFile,
    encode: (common: InodeCommon) => Uint8Array,
    known: Pick<InodeCommon, 'number' | 'attributes'>,
  ): WrittenInode {
    const { position } = this.#inodes;
    const owners = { uid: this.#owners.indexOf(stat.uid), gid: this.#owners.indexOf(stat.gid) };
    this.#inodes.add(encode({ ...known, ...owners, stat }));
    return { kind, number: known.number, position };
  }

  #list(file: GuestFile, inode: WrittenInode): void {
    this.#open.at(-1)?.names.push({ name: bytesOf(nameOf(file.path)), inode });
  }

  #nextNumber(): number {
    this.#inodeCount += 1;
    return this.#inodeCount;
  }
}

function fragmentRecord({ place, word }: { readonly place: number; readonly word: number }): Uint8Array {
  const record = Buffer.alloc(16);
  record.writeBigUInt64LE(BigInt(place), 0);
  record.writeUInt32LE(word, 8);
  return record;
}
