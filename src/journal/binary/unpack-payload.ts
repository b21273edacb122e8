/*
 * The payload of a data object is compressed as the object's flags say: 1 an xz stream, 2 LZ4 (its length when unpacked,
 * 64 bit, and one block), 4 a frame of zstd.
 *
 * Source: Journal File Format, systemd.io/JOURNAL_FILE_FORMAT, "Data Objects".
 */
import { isVarveError, VarveError } from '../../base/varve-error.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { unpackLz4 } from '../../bytes/lz4.ts';
import { zlib } from '../../bytes/zlib.ts';
import { unxz } from '../../image/compressed-file-xz.ts';

/** A longer field is no message; in bytes. */
export const longestField = 16 << 20;

/** The payload of a data object with these flags, unpacked. @throws VarveError `CORRUPT`, `UNSUPPORTED` */
export async function unpackPayload(packed: Uint8Array, flags: number): Promise<Uint8Array> {
  if (flags === 1) return await unpackXz(packed);
  if (flags === 2) return unpackSizedLz4(packed);
  if (flags === 4) return unpackZstd(packed);
  throw new VarveError('UNSUPPORTED', `data are compressed in a way that is not known: ${flags}`);
}

async function unpackXz(packed: Uint8Array): Promise<Uint8Array> {
  const given = [packed];
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const piece of unxz({ next: async () => given.pop() })) {
      length += piece.length;
      if (length > longestField) throw tooLong(length);
      pieces.push(piece.slice());
    }
  } catch (cause) {
    if (isVarveError(cause)) throw cause;
    throw new VarveError('CORRUPT', 'compressed data are damaged', { cause });
  }
  return Buffer.concat(pieces);
}

function unpackSizedLz4(packed: Uint8Array): Uint8Array {
  const reader = new ByteReader(packed, 'compressed data');
  const length = reader.u64le('length');
  if (length > longestField) throw tooLong(length);
  const target = new Uint8Array(length);
  const done = unpackLz4(reader.bytes(reader.remaining), target);
  if (done !== length) throw new VarveError('CORRUPT', `compressed data hold ${done} bytes in place of ${length}`);
  return target;
}

function unpackZstd(packed: Uint8Array): Uint8Array {
  try {
    return zlib().zstdDecompressSync(packed, { maxOutputLength: longestField });
  } catch (cause) {
    throw new VarveError('CORRUPT', 'compressed data are damaged', { cause });
  }
}

function tooLong(length: number): VarveError {
  return new VarveError('UNSUPPORTED', `a field has ${length} bytes or more, and at most ${longestField} are read`);
}
