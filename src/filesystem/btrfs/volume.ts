import { LruMap } from '../../base/lru.ts';
import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { FileSystemVolume } from '../file-system-volume.ts';
import { ChunkMap, type DevicePart } from './chunk-map.ts';
import type { Superblock, TreePointer } from './superblock.ts';
import { decodeTreeBlock, pointerProblem, type TreeBlock } from './tree-block.ts';

/** How many bytes of blocks of trees are kept. */
const cachedLength = 16 << 20;

/** The devices of a Btrfs, one behind the other, and the blocks of its trees. */
export class BtrfsVolume extends FileSystemVolume {
  readonly superblock: Superblock;
  readonly chunks: ChunkMap;
  readonly #blocks = new LruMap<number, TreeBlock>(cachedLength);

  /** `devices` are those in `device`, which has only its own where they are left out. */
  constructor(
    device: BlockDevice,
    superblock: Superblock,
    name: string,
    devices: ReadonlyMap<number, DevicePart> = onlyOwn(superblock),
  ) {
    super(device, name);
    this.superblock = superblock;
    this.chunks = new ChunkMap({ name, devices });
  }

  /** The block of a tree that a pointer leads to. @throws VarveError `CORRUPT` where no copy of it is in order */
  block(pointer: TreePointer, tree: string): MaybePromise<TreeBlock> {
    const known = this.#blocks.get(pointer.address);
    if (known === undefined) return this.#load(pointer, tree);
    const problem = pointerProblem(known, pointer);
    if (problem === undefined) return known;
    throw this.corrupt(`${nameOf(pointer, tree)} ${problem}`);
  }

  async #load(pointer: TreePointer, tree: string): Promise<TreeBlock> {
    const { nodeSize, sectorSize } = this.superblock;
    const what = nameOf(pointer, tree);
    if (pointer.address % sectorSize !== 0) throw this.corrupt(`there is no ${what}`);
    const { copies, length } = this.chunks.locate(pointer.address, what);
    if (length < nodeSize) throw this.corrupt(`${what} reaches past the end of its chunk`);
    let problem = '';
    for (const place of copies) {
      const bytes = new Uint8Array(nodeSize);
      await this.read(bytes, place, what);
      const block = decodeTreeBlock(new DataView(bytes.buffer), pointer, this.superblock);
      if (typeof block !== 'string') {
        this.#blocks.set(pointer.address, block, nodeSize);
        return block;
      }
      problem ||= `${what}, at byte ${place}, ${block}`;
    }
    throw this.corrupt(problem);
  }
}

function onlyOwn({ deviceId, deviceSize }: Superblock): ReadonlyMap<number, DevicePart> {
  return new Map([[deviceId, { start: 0, size: deviceSize }]]);
}

function nameOf({ address }: TreePointer, tree: string): string {
  return `block ${address} of ${tree}`;
}
