import { VarveError } from '../../base/varve-error.ts';
import type { MaybePromise } from '../../block/block-device.ts';
import { unpackLz4 } from '../../bytes/lz4.ts';
import { unpackLzo } from '../../bytes/lzo.ts';
import { unpackXz } from '../../bytes/unpack-xz.ts';
import { zlib } from '../../bytes/zlib.ts';

/** Unpacks a block that holds at most `limit` bytes; throws some `Error` where it holds more or makes no sense. */
export type Unpack = (packed: Uint8Array, limit: number) => MaybePromise<Uint8Array>;

/** No block is longer than 1 MiB, so nothing refers back further. */
const zstdWindowLog = 20;

/** By their numbers in the superblock. Source: Linux, fs/squashfs/squashfs_fs.h. */
const unpackers: Readonly<Record<number, Unpack>> = {
  1: (packed, limit) => zlib().inflateSync(packed, { chunkSize: limit + 64, maxOutputLength: limit }),
  3: into(unpackLzo),
  4: unpackXz,
  5: into(unpackLz4),
  6(packed, limit) {
    const { zstdDecompressSync, constants } = zlib();
    const params = { [constants.ZSTD_d_windowLogMax]: zstdWindowLog };
    return zstdDecompressSync(packed, { chunkSize: limit + 64, maxOutputLength: limit, params });
  },
};

/** What unpacks blocks of a compression. @throws VarveError `UNSUPPORTED`; `name` is the disk's */
export function unpackerFor(compression: number, name: string): Unpack {
  const unpack = unpackers[compression];
  if (unpack !== undefined) return unpack;
  const what = compression === 2 ? 'LZMA' : `an unknown method, ${compression}`;
  throw new VarveError('UNSUPPORTED', `cannot read ${name}: its squashfs is compressed by ${what}`);
}

function into(unpack: (packed: Uint8Array, target: Uint8Array) => number): Unpack {
  return (packed, limit) => {
    const target = new Uint8Array(limit);
    return target.subarray(0, unpack(packed, target));
  };
}
