/*
 * Files that GNU tar stored without their holes: a map says which ranges of the file follow, one behind the other.
 *
 *   typeflag S   in the header, from byte 386: 4 entries of offset and length, 12 bytes each, then at 482 whether blocks
 *                of 21 more follow, which have that at 504, and at 483 the length of the file with its holes
 *   pax 0.1      attribute GNU.sparse.map, offsets and lengths in turn, with commas; GNU.sparse.size
 *   pax 1.0      attributes GNU.sparse.major=1 and GNU.sparse.realsize; the content starts with lines of digits: how many
 *                ranges, and of each its offset and length, filled up to 512 bytes
 *
 * Source: GNU tar manual, "Storing Sparse Files" and "Basic Tar Format".
 */
import type { BlockDevice } from '../block/block-device.ts';
import { alignUp } from '../bytes/align.ts';
import { corruptImage, unsupportedImage } from './image-errors.ts';
import { tarBlockSize, tarNumber } from './tar-header.ts';

/** A range of a file, and where its content is in the archive; in bytes. */
export interface TarPiece {
  readonly offset: number;
  readonly length: number;
  readonly place: number;
}

/** A file that was stored without its holes. */
export interface SparseTarFile {
  /** Of the file, with its holes, in bytes. */
  readonly size: number;
  /** In order, apart from each other. */
  readonly pieces: readonly TarPiece[];
}

/** What is known of a member when its content is reached. */
export interface SparseSource {
  readonly file: BlockDevice;
  /** What errors call it. */
  readonly archive: string;
  /** Where what is stored starts, and its length, in bytes. */
  readonly offset: number;
  readonly storedLength: number;
}

/** A thousand times as many as disks have that people move about. */
const maximumPieces = 2 ** 20;
/** Lines of the map of pax 1.0 are read in pieces of so many bytes. */
const textPieceLength = 65_536;
const entryLength = 24;

/**
 * The map of a member with the typeflag S, whose header is `block`, and where its content starts: behind blocks with more
 * of the map.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for too many pieces
 */
export async function readGnuSparse(
  block: Uint8Array,
  source: SparseSource,
): Promise<SparseTarFile & { readonly contentOffset: number }> {
  const { archive, file, storedLength } = source;
  const size = tarNumber(block, 483, 12);
  const numbers = numbersIn(block, 386, 4);
  let contentOffset = source.offset;
  for (let isMore = block[482] === 1; isMore; contentOffset += tarBlockSize) {
    if (contentOffset + tarBlockSize > file.size)
      throw corruptImage(archive, 'it is cut off in a map of a sparse file');
    const more = new Uint8Array(tarBlockSize);
    await file.read(more, contentOffset);
    numbers.push(...numbersIn(more, 0, 21));
    if (numbers.length > 2 * maximumPieces) throw tooManyPieces(archive);
    isMore = more[504] === 1;
  }
  const given = { archive, place: contentOffset, storedLength, size };
  return { ...sparseFile(numbers, given), contentOffset };
}

/**
 * The map that attributes tell of; undefined for a member that is stored as it is.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for too many pieces, and other kinds of maps
 */
export async function readPaxSparse(
  attributes: ReadonlyMap<string, string>,
  source: SparseSource,
): Promise<SparseTarFile | undefined> {
  const { archive, offset, storedLength } = source;
  const map = attributes.get('GNU.sparse.map');
  const size = numberOf(attributes.get('GNU.sparse.realsize') ?? attributes.get('GNU.sparse.size'));
  if (attributes.get('GNU.sparse.major') === '1') return await readTextMap(source, size);
  if (map !== undefined) {
    return sparseFile(map === '' ? [] : map.split(',').map(numberOf), { archive, place: offset, storedLength, size });
  }
  if (![...attributes.keys()].some((key) => key.startsWith('GNU.sparse.'))) return undefined;
  throw unsupportedImage(archive, 'it holds a sparse file in the oldest way of pax; make it anew with tar --sparse');
}

async function readTextMap(
  { archive, file, offset, storedLength }: SparseSource,
  size: number | undefined,
): Promise<SparseTarFile> {
  const numbers: (number | undefined)[] = [];
  let [rest, readLength, mapLength, wanted] = ['', 0, 0, 1];
  while (numbers.length < wanted) {
    const bytes = new Uint8Array(Math.min(textPieceLength, storedLength - readLength));
    if (bytes.length === 0 || rest.length > 20) throw corruptImage(archive, 'a map of a sparse file makes no sense');
    await file.read(bytes, offset + readLength);
    readLength += bytes.length;
    const lines = (rest + Buffer.from(bytes).toString('latin1')).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      numbers.push(numberOf(line));
      mapLength += line.length + 1;
      if (numbers.length === 1) wanted = 1 + 2 * (numbers[0] ?? 0);
      if (numbers.length === wanted) break;
    }
    if (wanted > 2 * maximumPieces) throw tooManyPieces(archive);
  }
  const contentLength = alignUp(mapLength, tarBlockSize);
  const given = { archive, place: offset + contentLength, storedLength: storedLength - contentLength, size };
  return sparseFile(numbers.slice(1), given);
}

/** The file that offsets and lengths in turn make, where they fit what is stored. */
function sparseFile(
  numbers: readonly (number | undefined)[],
  given: {
    readonly archive: string;
    readonly place: number;
    readonly storedLength: number;
    readonly size: number | undefined;
  },
): SparseTarFile {
  const { archive, size, storedLength } = given;
  const pieces: TarPiece[] = [];
  let [end, place] = [0, given.place];
  if (size === undefined || numbers.length % 2 !== 0)
    throw corruptImage(archive, 'a map of a sparse file makes no sense');
  if (numbers.length > 2 * maximumPieces) throw tooManyPieces(archive);
  for (let index = 0; index < numbers.length; index += 2) {
    const [offset = -1, length = -1] = [numbers[index], numbers[index + 1]];
    const fits = offset >= end && length >= 0 && offset + length <= size;
    if (!fits) throw corruptImage(archive, 'a map of a sparse file does not fit the file');
    if (length > 0) pieces.push({ offset, length, place });
    end = offset + length;
    place += length;
  }
  // Where there is no room for its last piece, a member was cut off.
  if (place - given.place > storedLength) throw corruptImage(archive, 'a sparse file is shorter than its map says');
  return { size, pieces };
}

/** The offsets and lengths of entries, up to the first one that is free. */
function numbersIn(block: Uint8Array, place: number, count: number): (number | undefined)[] {
  const numbers: (number | undefined)[] = [];
  for (let entry = 0; entry < count; entry += 1) {
    const start = place + entry * entryLength;
    if (block[start] === 0) break;
    numbers.push(tarNumber(block, start, 12), tarNumber(block, start + 12, 12));
  }
  return numbers;
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function tooManyPieces(archive: string): Error {
  return unsupportedImage(archive, `it holds a sparse file in over ${maximumPieces} pieces`);
}
