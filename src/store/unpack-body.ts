import { VarveError } from '../base/varve-error.ts';
import { zlib } from '../bytes/zlib.ts';
import { hexOf, sameName } from './chunk.ts';
import { nameOf } from './hash.ts';
import { bodyMethods } from './pack-format.ts';

/** What a stored body must turn out to be. */
export interface BodyExpectation {
  readonly name: Uint8Array;
  readonly length: number;
  readonly method: number;
  readonly crc32: number;
}

/**
 * The bytes of a stored body, checked by name.
 * @throws CORRUPT when they are not what the name promises; `where` says where the body was found.
 */
export function unpackBody(stored: Uint8Array, expected: BodyExpectation, where: string): Uint8Array {
  const bytes = expected.method === bodyMethods.plain ? stored : inflate(stored, expected, where);
  if (bytes.length === expected.length && sameName(nameOf(bytes), expected.name)) return bytes;
  throw damaged(expected, where);
}

/** Whether stored bytes still are the ones that were written. */
export function hasChecksum(stored: Uint8Array, expected: BodyExpectation): boolean {
  return zlib().crc32(stored) === expected.crc32;
}

function inflate(stored: Uint8Array, expected: BodyExpectation, where: string): Uint8Array {
  try {
    // The bound makes a frame that claims more an error; the slack lets the codec finish in one call.
    const chunkSize = expected.length + 1024;
    return zlib().zstdDecompressSync(stored, { chunkSize, maxOutputLength: chunkSize });
  } catch (cause) {
    throw damaged(expected, where, cause);
  }
}

function damaged(expected: BodyExpectation, where: string, cause?: unknown): VarveError {
  const name = hexOf(expected.name).slice(0, 16);
  return new VarveError('CORRUPT', `${where}: chunk ${name}… is damaged; run varve verify to see what it hurts`, {
    cause,
  });
}
