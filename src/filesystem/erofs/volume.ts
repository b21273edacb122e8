import { LruMap } from '../../base/lru.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { DevicePages } from '../../block/device-pages.ts';
import { FileSystemVolume } from '../file-system-volume.ts';
import { CompressedContent } from './compressed-content.ts';
import { decodeInode, type Inode, inodeUnit, longestInode } from './inode.ts';
import type { Superblock } from './superblock.ts';

/** How many bytes of metadata are kept, and how many inodes. */
const cachedLength = 8 << 20;
const cachedInodes = 2048;

/** The blocks and inodes of an EROFS, below its files. */
export class ErofsVolume extends FileSystemVolume {
  readonly superblock: Superblock;
  readonly compressed: CompressedContent;
  readonly #pages: DevicePages;
  readonly #inodes = new LruMap<number, Inode>(cachedInodes);

  constructor(device: BlockDevice, superblock: Superblock, name: string) {
    super(device, name);
    this.superblock = superblock;
    this.compressed = new CompressedContent(this);
    const { blockSize } = superblock;
    this.#pages = new DevicePages({ device, name, capacity: Math.ceil(cachedLength / blockSize) });
  }

  /** `length` bytes of metadata at byte `place`; not to be written to. @throws VarveError `CORRUPT` */
  async metadata(place: number, length: number, what: string): Promise<DataView> {
    const { blockSize } = this.superblock;
    const inside = place % blockSize;
    if (inside + length <= blockSize) {
      const got = this.#pages.get(place - inside, blockSize, what);
      const page = got instanceof Promise ? await got : got;
      return new DataView(page.buffer, page.byteOffset + inside, length);
    }
    const bytes = new Uint8Array(length);
    await this.read(bytes, place, what);
    return new DataView(bytes.buffer);
  }

  /** The inode of a nid. @throws VarveError `CORRUPT` */
  async inode(node: number): Promise<Inode> {
    const known = this.#inodes.get(node);
    if (known !== undefined) return known;
    const { inodes, buildTime, blockSize, size } = this.superblock;
    const place = inodes + node * inodeUnit;
    if (!(place + inodeUnit <= size)) throw this.corrupt(`inode ${node} lies past the end`);
    const view = await this.metadata(place, Math.min(longestInode, size - place), `inode ${node}`);
    if (view.byteLength < longestInode && (view.getUint8(0) & 1) !== 0) throw this.corrupt(`inode ${node} is cut off`);
    const inode = decodeInode(view, place, buildTime, blockSize);
    if (typeof inode === 'string') throw this.corrupt(`inode ${node} ${inode}`);
    this.#inodes.set(node, inode);
    return inode;
  }
}
