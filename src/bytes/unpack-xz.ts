/*
 * The start of an xz stream of one block:
 *
 *   byte   0  fd 37 7a 58 5a 00, flags (16 bit), CRC-32
 *         12  the block header's length in words, less 1
 *         13  flags: bits 0–1 number of filters less 1, 6 a compressed and 7 an uncompressed size follow
 *         14  those sizes, then for each filter its id, the length of its properties, and these; numbers have 7 bits a
 *             byte, the low ones first. LZMA2 is 21, and its property the size of the dictionary.
 *
 * Source: The .xz File Format 1.2.1, sections 2.1, 3.1 and 5.3.1.
 */
import { isVarveError, VarveError } from '../base/varve-error.ts';
import { isEqual } from './is-equal.ts';

const filterLzma2 = 0x21;
/** 16 MiB, which is twice what xz(1) takes by itself. Source: The .xz File Format 1.2.1, section 5.3.1, for the number. */
const largestDictionary = 24;
const blockHeader = 12;
const magic = Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0);

/**
 * Unpacks an xz stream that holds at most `limit` bytes; the library is loaded when the first one comes.
 *
 * @throws VarveError `CORRUPT`, also where it holds more; `UNSUPPORTED` for filters that the library does not know
 */
export async function unpackXz(packed: Uint8Array, limit: number): Promise<Uint8Array> {
  checkFilters(packed);
  const { default: library } = await import('xz-decompress');
  const source = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(packed);
      controller.close();
    },
  });
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    // The library takes one stream at a time, so it has to be read to its end, or given up, before another begins.
    for await (const piece of new library.XzReadableStream(source)) {
      length += piece.length;
      if (length > limit) throw new VarveError('CORRUPT', `it holds more than ${limit} bytes`);
      pieces.push(piece.slice());
    }
  } catch (cause) {
    if (isVarveError(cause)) throw cause;
    throw new VarveError('CORRUPT', 'its xz data make no sense', { cause });
  }
  return Buffer.concat(pieces);
}

/** The library gets dictionaries of any size the memory for them, and knows only LZMA2. */
function checkFilters(packed: Uint8Array): void {
  const isXz = packed.length >= blockHeader * 2 && isEqual(packed.subarray(0, magic.length), magic);
  if (!isXz) throw new VarveError('CORRUPT', 'it is no xz stream');
  const flags = packed[blockHeader + 1]!;
  let position = blockHeader + 2;
  const sizes = ((flags >> 6) & 1) + (flags >> 7);
  for (let count = 0; count < sizes; count++) {
    while (packed[position]! >= 0x80) position += 1;
    position += 1;
  }
  const hasOneFilter = (flags & 3) === 0 && packed[position] === filterLzma2 && packed[position + 1] === 1;
  if (!hasOneFilter) throw new VarveError('UNSUPPORTED', 'it is compressed by xz with filters for machine code');
  if (!(packed[position + 2]! <= largestDictionary)) throw new VarveError('CORRUPT', 'its xz dictionary is too large');
}
