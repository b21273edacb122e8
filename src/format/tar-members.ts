import type { BlockDevice } from '../block/block-device.ts';
import { alignUp } from '../bytes/align.ts';
import { isZero } from '../bytes/is-zero.ts';
import { corruptImage, unsupportedImage } from './image-errors.ts';
import { decodePaxAttributes } from './pax-attributes.ts';
import { decodeTarHeader, tarBlockSize } from './tar-header.ts';
import { readGnuSparse, readPaxSparse, type TarPiece } from './tar-sparse.ts';

/** A file in an archive; offset and size in bytes. */
export interface TarMember {
  readonly name: string;
  /** Where its content starts in the archive. */
  readonly offset: number;
  readonly size: number;
  /** Whether its content is all there, one byte after the other: not so for links, directories, sparse files. */
  readonly isPlain: boolean;
  /** Where its content is, for a file that was stored without its holes; `offset` does not count then. */
  readonly pieces?: readonly TarPiece[];
}

/** No appliance has more files. */
const maximumMembers = 1024;
/** Of a long name, or attributes, in bytes. */
const maximumExtraLength = 65536;

/**
 * The members of a tar archive, as `tarMembers` gives them, but for the maps of sparse files.
 *
 * @throws VarveError `CORRUPT`, also where a member goes past the end of the file; `UNSUPPORTED` for too many
 */
export async function readTarMembers(file: BlockDevice, archive: string): Promise<TarMember[]> {
  const members: TarMember[] = [];
  for await (const { isPlain, name, offset, size } of tarMembers(file, archive)) {
    members.push({ isPlain, name, offset, size });
    if (members.length > maximumMembers) throw unsupportedImage(archive, `it has over ${maximumMembers} members`);
  }
  return members;
}

/**
 * The members of a tar archive: of POSIX's, pax's or GNU's kind, in order. Names start without `./`.
 *
 * @throws VarveError `CORRUPT`, also where a member goes past the end of the file
 */
export async function* tarMembers(file: BlockDevice, archive: string): AsyncGenerator<TarMember, undefined> {
  const block = new Uint8Array(tarBlockSize);
  let extra = new Map<string, string>();
  for (let offset = 0; offset + tarBlockSize <= file.size; ) {
    await file.read(block, offset);
    if (isZero(block)) break;
    const header = decodeTarHeader(block, archive);
    const size = sizeOf(header.size, extra, archive);
    offset += tarBlockSize;
    if (offset + size > file.size) throw corruptImage(archive, 'it is cut off, or its length of a member is wrong');
    if (/[xgLK]/.test(header.typeflag)) {
      extra = await extraOf(file, offset, size, header.typeflag, extra, archive);
    } else {
      const name = extra.get('GNU.sparse.name') ?? extra.get('path') ?? header.name;
      const source = { file, archive, offset, storedLength: size };
      const isFile = /[07S]/.test(header.typeflag);
      const gnu = header.typeflag === 'S' ? await readGnuSparse(block, source) : undefined;
      const sparse = gnu ?? (isFile ? await readPaxSparse(extra, source) : undefined);
      offset = gnu?.contentOffset ?? offset;
      if (offset + size > file.size) throw corruptImage(archive, 'it is cut off in a sparse file');
      const stored = sparse === undefined ? { size, isPlain: isFile } : { ...sparse, isPlain: false };
      yield { name: name.replace(/^(\.\/)+/, ''), offset, ...stored };
      extra = new Map();
    }
    offset += alignUp(size, tarBlockSize);
  }
}

function sizeOf(size: number, extra: ReadonlyMap<string, string>, archive: string): number {
  const given = extra.get('size');
  if (given === undefined) return size;
  if (/^\d{1,15}$/.test(given)) return Number(given);
  throw corruptImage(archive, 'it has a tar member of a length that cannot be');
}

/** What is known of the next member once an entry that tells of it is read. Those that tell of all tell nothing here. */
async function extraOf(
  file: BlockDevice,
  offset: number,
  size: number,
  typeflag: string,
  known: ReadonlyMap<string, string>,
  archive: string,
): Promise<Map<string, string>> {
  if (size > maximumExtraLength) throw corruptImage(archive, `it has a tar header of ${size} bytes`);
  const bytes = new Uint8Array(size);
  if (size > 0) await file.read(bytes, offset);
  if (typeflag === 'x') return new Map([...known, ...decodePaxAttributes(bytes, archive)]);
  if (typeflag !== 'L') return new Map(known);
  const end = bytes.indexOf(0);
  return new Map([...known, ['path', new TextDecoder().decode(end === -1 ? bytes : bytes.subarray(0, end))]]);
}
