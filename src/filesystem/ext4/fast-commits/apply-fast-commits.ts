import type { BlockDevice } from '../../../block/block-device.ts';
import { replayedDevice } from '../../replayed-device.ts';
import type { Ext4FileSystem } from '../ext4-file-system.ts';
import { findExtent } from '../extent-tree.ts';
import type { FastCommitTag } from '../journal/fast-commit-tags.ts';
import { Ext4Volume } from '../volume.ts';
import { type ChangedDirectory, type ChangedFiles, nameKey } from './changed-files.ts';
import { ExtentList, type FileRun } from './extent-list.ts';
import { addLinks, hasExtents, InodeTable, isDirectory, putInode, setLinks } from './inode-table.ts';

const longestWritten = 32_768;
const lastBlock = 2 ** 32;

/** What fast commits are applied to. */
export interface FastCommitTarget {
  readonly device: BlockDevice;
  /** What the journal has of blocks; inodes that have changed are put there. */
  readonly blocks: Map<number, Uint8Array>;
  /** As the last whole transaction left it. */
  readonly files: Ext4FileSystem;
  readonly volume: Ext4Volume;
  /** The disk's, for errors. */
  readonly name: string;
}

/**
 * Does again what tags say has happened, in their order, as Linux does when it mounts. What they say of names and of
 * places of blocks is kept beside the disk, as trees and directories may have no room for it.
 *
 * @throws VarveError `CORRUPT` where what they change cannot be read
 */
export async function applyFastCommits(
  tags: readonly FastCommitTag[],
  target: FastCommitTarget,
): Promise<ChangedFiles> {
  const applying = new Applying(target);
  for (const tag of tags) await applying.apply(tag);
  return applying;
}

type NameTag = Extract<FastCommitTag, { readonly name: Uint8Array }>;

class Applying implements ChangedFiles {
  readonly extents = new Map<number, ExtentList>();
  readonly directories = new Map<number, ChangedDirectory>();
  readonly #target: FastCommitTarget;
  readonly #table: InodeTable;

  constructor(target: FastCommitTarget) {
    this.#target = target;
    this.#table = new InodeTable(target.volume, target.blocks);
  }

  async apply(tag: FastCommitTag): Promise<void> {
    if (!this.#table.has(tag.inode)) return;
    if (tag.kind === 'inode') await this.#table.edit(tag.inode, (bytes) => putInode(bytes, tag.bytes));
    else if (tag.kind === 'add range') await this.#addRange(tag.inode, tag.extent);
    else if (tag.kind === 'delete range') (await this.#extentsOf(tag.inode))?.remove(tag.first, tag.count);
    else if (this.#table.has(tag.directory)) await this.#applyName(tag);
  }

  async #addRange(inode: number, extent: DataView): Promise<void> {
    const length = extent.getUint16(4, true);
    const isWritten = length <= longestWritten;
    const count = isWritten ? length : length - longestWritten;
    const block = extent.getUint32(8, true) + extent.getUint16(6, true) * 2 ** 32;
    this.#target.volume.checkRange(block, count, `a fast commit of inode ${inode}`);
    const first = extent.getUint32(0, true);
    if (count > 0) (await this.#extentsOf(inode))?.put({ first, block, count, isWritten });
  }

  /** Where an inode's blocks are, as far as is known; undefined for one that has none in a tree. */
  async #extentsOf(number: number): Promise<ExtentList | undefined> {
    const known = this.extents.get(number);
    if (known !== undefined) return known;
    if (!(await this.#table.read(number, hasExtents))) return undefined;
    const { blocks, device, name, volume } = this.#target;
    const current = new Ext4Volume(
      replayedDevice(device, blocks, volume.superblock.blockSize),
      volume.superblock,
      name,
    );
    const inode = await current.inode(number);
    const runs: FileRun[] = [];
    for (let index = 0; index < lastBlock; ) {
      const { block, count, kind } = await findExtent(current, inode, index, lastBlock - index);
      if (kind !== 'hole') runs.push({ first: index, block, count, isWritten: kind === 'data' });
      index += count;
    }
    const list = new ExtentList(runs);
    this.extents.set(number, list);
    return list;
  }

  async #applyName({ directory, inode, kind, name }: NameTag): Promise<void> {
    if (kind === 'create') await this.#create(inode, directory);
    const changed = this.#directory(directory);
    const known = await this.#lookup(directory, name);
    if (kind === 'unlink') {
      if (known !== inode) return;
      changed.names.set(nameKey(name), undefined);
      if ((await this.#table.edit(inode, (bytes) => addLinks(bytes, -1))) === 0) await this.#forget(inode);
      return;
    }
    if (known !== undefined) return;
    changed.names.set(nameKey(name), { name, node: inode, kind: undefined });
    if (kind === 'link') await this.#table.edit(inode, (bytes) => addLinks(bytes, 1));
  }

  /** An inode without a name has no blocks any more. */
  async #forget(inode: number): Promise<void> {
    (await this.#extentsOf(inode))?.remove(0, lastBlock);
    this.directories.delete(inode);
  }

  async #create(inode: number, parent: number): Promise<void> {
    if (await this.#table.read(inode, isDirectory)) this.directories.set(inode, { parent, names: new Map() });
    else await this.#table.edit(inode, (bytes) => setLinks(bytes, 1));
  }

  #directory(inode: number): ChangedDirectory {
    const known = this.directories.get(inode) ?? { parent: undefined, names: new Map() };
    this.directories.set(inode, known);
    return known;
  }

  async #lookup(directory: number, name: Uint8Array): Promise<number | undefined> {
    const changed = this.#directory(directory);
    const key = nameKey(name);
    if (changed.names.has(key)) return changed.names.get(key)?.node;
    return changed.parent === undefined ? await this.#target.files.lookup(directory, name) : undefined;
  }
}
