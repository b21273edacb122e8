import { VarveError } from '../base/varve-error.ts';
import type { FileExtent } from '../filesystem/file-system.ts';
import type { GuestEntry } from './guest-tree.ts';

const pieceLength = 1 << 20;

/** Some of a file's bytes. */
export interface FilePiece {
  readonly offset: number;
  /** Good until the next piece is asked for. */
  readonly bytes: Uint8Array;
}

/**
 * What a run of a file holds, piece by piece, in order.
 *
 * @throws VarveError `CORRUPT`, also where the file ends within the run
 */
export async function* piecesOf(
  { fileSystem, node, path }: GuestEntry,
  { offset, length }: Pick<FileExtent, 'offset' | 'length'>,
  buffer: Uint8Array = new Uint8Array(Math.min(pieceLength, length)),
): AsyncGenerator<FilePiece> {
  for (let done = 0; done < length; ) {
    const target = buffer.subarray(0, Math.min(buffer.length, length - done));
    const got = await fileSystem.read(node, target, offset + done);
    if (got === 0) throw new VarveError('CORRUPT', `cannot read ${path}: it ends at byte ${offset + done}`);
    yield { offset: offset + done, bytes: target.subarray(0, got) };
    done += got;
  }
}
