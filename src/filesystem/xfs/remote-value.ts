/*
 * What an inode has no room for: a symlink's target, or an attribute's value. It is in blocks of the fork; since version 5
 * these begin with a header of 56 bytes, big-endian:
 *
 *   byte  0  magic, "XSLM" for a symlink, "XARM" for a value     8  how many bytes of it are here
 *         4  where in the whole they belong
 *
 * A value has a header in each of its blocks, a symlink one in each of its extents.
 *
 * Source: XFS Algorithms & Data Structures, "Remote Symlinks" and "Remote Attribute Values".
 */
import { findRun } from './extent-map.ts';
import type { Fork } from './inode.ts';
import { bytesOf, metadataHeaders } from './metadata-header.ts';
import type { XfsVolume } from './volume.ts';

const headerLength = 56;
const magics = { symlink: 0x5853_4c4d, value: 0x5841_524d } as const;

/** Where something remote is. */
export interface RemoteValue {
  readonly kind: keyof typeof magics;
  /** Its first block in the fork. */
  readonly index: number;
  /** Its length in bytes, which the caller has bounded. */
  readonly length: number;
}

/** Reads a symlink's target, or an attribute's value. @throws VarveError `CORRUPT` */
export async function readRemote(volume: XfsVolume, fork: Fork, remote: RemoteValue): Promise<Uint8Array> {
  const { blockSize, version } = volume.superblock;
  const result = new Uint8Array(remote.length);
  const header = version === 4 ? 0 : headerLength;
  for (let done = 0, { index } = remote; done < result.length; ) {
    const left = result.length - done;
    const perPiece = remote.kind === 'symlink' ? Math.ceil((left + header) / blockSize) : 1;
    const run = await findRun(volume, fork, index, perPiece);
    if (run.kind !== 'data') throw volume.corrupt(`block ${index} of ${fork.name} is not there`);
    const piece = await readPiece(volume, fork, { ...run, index });
    if (version === 5) checkHeader(volume, fork, { piece, block: run.block, index, remote, done });
    const part = bytesOf(piece).subarray(header, header + left);
    result.set(part, done);
    done += part.length;
    index += run.count;
  }
  return result;
}

interface Piece {
  readonly block: number;
  readonly count: number;
  readonly index: number;
}

async function readPiece(volume: XfsVolume, fork: Fork, { block, count, index }: Piece): Promise<DataView> {
  const { blockSize } = volume.superblock;
  const what = `block ${index} of ${fork.name}`;
  if (count === 1) return await volume.block(block, what);
  const bytes = new Uint8Array(count * blockSize);
  for (let next = 0; next < count; next++) {
    bytes.set(bytesOf(await volume.block(block + next, what)), next * blockSize);
  }
  return new DataView(bytes.buffer);
}

interface PieceHeader {
  readonly piece: DataView;
  readonly block: number;
  readonly index: number;
  readonly remote: RemoteValue;
  readonly done: number;
}

function checkHeader(volume: XfsVolume, fork: Fork, { piece, block, index, remote, done }: PieceHeader): void {
  const what = `the ${remote.kind} in block ${index} of ${fork.name}`;
  const most = Math.min(remote.length - done, piece.byteLength - headerLength);
  volume.verifyBlock(piece, { what, header: metadataHeaders.remote, block, owner: fork.inode }, () => {
    if (piece.getUint32(0) !== magics[remote.kind]) return 'has no magic';
    const [offset, length] = [piece.getUint32(4), piece.getUint32(8)];
    return offset === done && length === most ? undefined : `has bytes ${offset} to ${offset + length}`;
  });
}
