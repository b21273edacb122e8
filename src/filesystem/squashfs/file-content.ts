import { LruMap } from '../../base/lru.ts';
import type { FileExtent } from '../file-system.ts';
import { BlockList } from './block-list.ts';
import type { FileDetail, Inode } from './inode.ts';
import { LookupTable } from './lookup-table.ts';
import type { MetadataTable } from './metadata-cursor.ts';
import { metadataLength, type SquashfsVolume, type StoredBlock, storedBlock } from './volume.ts';

const fragmentLength = 16;
/** How many files' lists of blocks are kept. */
const cachedLists = 64;
/** No metadata block takes fewer bytes on the device. */
const shortestMetadata = 3;

/** A regular file. */
export interface SquashfsFile {
  readonly node: number;
  readonly size: number;
  readonly detail: FileDetail;
}

/** A piece of a file: a block, or its end in a fragment. */
interface Piece {
  readonly block: StoredBlock;
  /** How many bytes the block has, unpacked; of a fragment the most that it may have. */
  readonly unpacked: number;
  /** Where the piece is in what is unpacked, and its length. */
  readonly offset: number;
  readonly length: number;
}

/** The file that an inode is; undefined where it is something else. */
export function fileOf(node: number, { stat, detail }: Inode): SquashfsFile | undefined {
  return detail?.kind === 'file' ? { node, size: stat.size, detail } : undefined;
}

/** The content of files. */
export class FileContents {
  readonly #volume: SquashfsVolume;
  readonly #inodeTable: MetadataTable;
  readonly #fragments: LookupTable | undefined;
  readonly #lists = new LruMap<number, BlockList>(cachedLists);

  constructor(volume: SquashfsVolume, inodeTable: MetadataTable) {
    this.#volume = volume;
    this.#inodeTable = inodeTable;
    const { fragmentTable: place, fragmentCount: count } = volume.superblock;
    if (place === undefined) return;
    this.#fragments = new LookupTable(volume, { place, count, recordLength: fragmentLength, record: 'fragment' });
  }

  /** Reads from `offset` of a file until `target` is full or it ends; returns how many bytes. */
  async read(file: SquashfsFile, target: Uint8Array, offset: number): Promise<number> {
    const { blockSize } = this.#volume.superblock;
    const length = Math.max(0, Math.min(target.length, file.size - offset));
    for (let done = 0; done < length; ) {
      const position = offset + done;
      const inside = position % blockSize;
      const piece = await this.#piece(file, Math.floor(position / blockSize));
      const part = target.subarray(done, Math.min(length, done + piece.length - inside));
      await this.#readPiece(file, piece, part, inside);
      done += part.length;
    }
    return length;
  }

  /** The runs of a file; where the device has its bytes as they are, it is said. */
  async *extents(file: SquashfsFile): AsyncGenerator<FileExtent> {
    const { blockSize } = this.#volume.superblock;
    let run: FileExtent | undefined;
    for (let offset = 0; offset < file.size; offset += blockSize) {
      const { block, length, offset: inside } = await this.#piece(file, offset / blockSize);
      const place = block.isPlain && block.length > 0 ? block.place + inside : undefined;
      const next: FileExtent = { offset, length, kind: block.length === 0 ? 'hole' : 'data', place };
      const joined = run && join(run, next);
      if (run !== undefined && joined === undefined) yield run;
      run = joined ?? next;
    }
    if (run !== undefined) yield run;
  }

  async #readPiece(file: SquashfsFile, piece: Piece, target: Uint8Array, inside: number): Promise<void> {
    const { block, unpacked, offset } = piece;
    const what = `a block of the file at inode reference ${file.node}, at byte ${block.place}`;
    if (block.length === 0) {
      target.fill(0);
      return;
    }
    const isWhole = unpacked === piece.length && offset === 0;
    if (block.isPlain) {
      const isTooShort = isWhole ? block.length !== unpacked : offset + piece.length > block.length;
      if (isTooShort) throw this.#volume.corrupt(`${what} has ${block.length} bytes`);
      await this.#volume.read(target, block.place + offset + inside, what);
      return;
    }
    const bytes = await this.#volume.data(block, unpacked, what);
    const isTooShort = isWhole ? bytes.length !== unpacked : offset + piece.length > bytes.length;
    if (isTooShort) throw this.#volume.corrupt(`${what} unpacks to ${bytes.length} bytes`);
    target.set(bytes.subarray(offset + inside, offset + inside + target.length));
  }

  async #piece(file: SquashfsFile, index: number): Promise<Piece> {
    const { blockSize } = this.#volume.superblock;
    const { fragment } = file.detail;
    const blockCount = fragment === undefined ? Math.ceil(file.size / blockSize) : Math.floor(file.size / blockSize);
    const length = Math.min(blockSize, file.size - index * blockSize);
    if (fragment !== undefined && index >= blockCount) return await this.#fragmentPiece(fragment, length);
    const block = await this.#listOf(file, blockCount).at(index);
    return { block, unpacked: length, offset: 0, length };
  }

  async #fragmentPiece(fragment: NonNullable<FileDetail['fragment']>, length: number): Promise<Piece> {
    const { blockSize } = this.#volume.superblock;
    if (this.#fragments === undefined) throw this.#volume.corrupt('a file ends in a fragment, and there are none');
    const view = await this.#fragments.get(fragment.index);
    const place = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
    const block = storedBlock(place, view.getUint32(8, true));
    if (block.length === 0 || fragment.offset + length > blockSize) {
      throw this.#volume.corrupt(`fragment ${fragment.index} cannot hold what it should`);
    }
    return { block, unpacked: blockSize, offset: fragment.offset, length };
  }

  #listOf(file: SquashfsFile, count: number): BlockList {
    const known = this.#lists.get(file.node);
    if (known !== undefined) return known;
    const { start, end } = this.#inodeTable;
    if (count * 4 > ((end - start) / shortestMetadata) * metadataLength) {
      throw this.#volume.corrupt(
        `the file at inode reference ${file.node} has more blocks than the inode table can list`,
      );
    }
    const list = new BlockList(this.#volume, this.#inodeTable, file.detail, count);
    this.#lists.set(file.node, list);
    return list;
  }
}

/** Two neighbours as one, where they are of one kind and in one piece. */
function join(one: FileExtent, next: FileExtent): FileExtent | undefined {
  const place = one.place === undefined ? undefined : one.place + one.length;
  if (one.kind !== next.kind || place !== next.place) return undefined;
  return { ...one, length: one.length + next.length };
}
