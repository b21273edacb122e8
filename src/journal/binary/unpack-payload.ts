/*
 * The payload of a data object is compressed as the object's flags say: 1 an xz stream, 2 LZ4 (its length when unpacked,
 * 64 bit, and one block), 4 a frame of zstd.
 *
 * Source: Journal File Format, systemd.io/JOURNAL_FILE_FORMAT, "Data Objects".
 */
import { VarveError } from '../../base/varve-error.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { unpackLz4 } from '../../bytes/lz4.ts';
import { unpackXz } from '../../bytes/unpack-xz.ts';
import { zlib } from '../../bytes/zlib.ts';

/** A longer field is no message; in bytes. */
export const longestField = 16 << 20;

/** The payload of a data object with these flags, unpacked. @throws VarveError `CORRUPT`, `UNSUPPORTED` */
export async function unpackPayload(packed: Uint8Array, flags: number): Promise<Uint8Array> {
  if (flags === 1) return await unpackXz(packed, longestField);
  if (flags === 2) return unpackSizedLz4(packed);
  if (flags === 4) return unpackZstd(packed);
  throw new VarveError('UNSUPPORTED', `data are compressed in a way that is not known: ${flags}`);
}

function unpackSizedLz4(packed: Uint8Array): Uint8Array {
  const reader = new ByteReader(packed, 'compressed data');
  const length = reader.u64le('length');
  if (length > longestField) {
    throw new VarveError('UNSUPPORTED', `a field has ${length} bytes, and at most ${longestField} are read`);
  }
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
