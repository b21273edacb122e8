/*
 * Stands in for node:zlib in a browser: what readers of disks call of it, synchronous as there, by fflate and fzstd. A
 * browser's own DecompressionStream answers late, and knows no zstd. Neither library compares the checksums behind what is
 * packed (Adler-32, XXH64).
 */
import { Inflate } from 'fflate';
import { Decompress } from 'fzstd';
import { zstdFrameLength } from '../../format/qcow2/zstd-frame.ts';
import { crc32Update } from './crc32.ts';

/** Those of the settings of node:zlib that matter here; lengths in bytes. */
interface UnpackOptions {
  readonly maxOutputLength?: number;
  readonly finishFlush?: number;
  readonly params?: Readonly<Record<number, number>>;
}

/** The numbers that node:zlib has for them. */
export const constants = { Z_SYNC_FLUSH: 2, ZSTD_d_windowLogMax: 100 } as const;

/** Deflate makes at most 1032 bytes of one, so that a piece of input gives no more than 8 MiB before anybody counts. */
const pieceLength = 8192;
const zstdMagic = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);
const defaultWindowLog = 27;

/** Unpacks deflate. Source: RFC 1951. */
export function inflateRawSync(packed: Uint8Array, { finishFlush, maxOutputLength }: UnpackOptions = {}): Uint8Array {
  const output = new Output(maxOutputLength);
  const stream = new Inflate((piece) => output.take(piece));
  const mayEndEarly = finishFlush === constants.Z_SYNC_FLUSH;
  // A piece of no bytes at the end is not looked at: the last one has to say that it is.
  for (let done = 0; done < packed.length; done += pieceLength) {
    const end = Math.min(packed.length, done + pieceLength);
    stream.push(packed.subarray(done, end), end === packed.length && !mayEndEarly);
  }
  if (packed.length === 0 && !mayEndEarly) throw new Error('unexpected end of file');
  return output.bytes();
}

/** Unpacks a stream of zlib. Source: RFC 1950. */
export function inflateSync(packed: Uint8Array, options: UnpackOptions = {}): Uint8Array {
  const [first = 0, second = 0] = packed;
  const isStream = (first & 15) === 8 && first >>> 4 <= 7 && (first * 256 + second) % 31 === 0 && (second & 32) === 0;
  if (!isStream) throw new Error('incorrect header check');
  return inflateRawSync(packed.subarray(2), options);
}

/** Unpacks a frame of zstd, and passes over what is behind it. Source: RFC 8878. */
export function zstdDecompressSync(packed: Uint8Array, { maxOutputLength, params }: UnpackOptions = {}): Uint8Array {
  requireSmallWindow(packed, params?.[constants.ZSTD_d_windowLogMax] ?? defaultWindowLog);
  const output = new Output(maxOutputLength);
  const stream = new Decompress((piece) => output.take(piece));
  stream.push(packed.subarray(0, zstdFrameLength(packed, 'zstd frame')), true);
  return output.bytes();
}

/** CRC-32 of `bytes`, which go on where `value` is that of what is before them. */
export function crc32(bytes: Uint8Array, value = 0): number {
  return crc32Update(bytes, value);
}

/** The library gets as much memory as a frame says that it needs. Source: RFC 8878, section 3.1.1.1. */
function requireSmallWindow(packed: Uint8Array, largestLog: number): void {
  if (!zstdMagic.every((byte, index) => packed[index] === byte)) throw new Error('Unknown frame descriptor');
  const descriptor = packed[4] ?? 0;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const window = isSingleSegment ? contentSizeOf(packed, descriptor >>> 6) : 2 ** (10 + ((packed[5] ?? 0) >>> 3));
  if (window > 2 ** largestLog) throw new Error('Frame requires too much memory for decoding');
}

/** Of a frame of one segment without a dictionary, in bytes. */
function contentSizeOf(packed: Uint8Array, kind: number): number {
  const length = [1, 2, 4, 8][kind]!;
  let size = kind === 1 ? 256 : 0;
  for (let index = 0; index < length; index += 1) size += (packed[5 + index] ?? 0) * 256 ** index;
  return size;
}

/** What was unpacked so far, up to a limit. */
class Output {
  readonly #pieces: Uint8Array[] = [];
  readonly #limit: number;
  #length = 0;

  constructor(limit = Number.MAX_SAFE_INTEGER) {
    this.#limit = limit;
  }

  take(piece: Uint8Array): void {
    this.#length += piece.length;
    if (this.#length > this.#limit) {
      throw Object.assign(new RangeError(`it gives over ${this.#limit} bytes`), { code: 'ERR_BUFFER_TOO_LARGE' });
    }
    // The library goes on with its buffer.
    this.#pieces.push(piece.slice());
  }

  bytes(): Uint8Array {
    if (this.#pieces.length === 1) return this.#pieces[0]!;
    const whole = new Uint8Array(this.#length);
    let position = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, position);
      position += piece.length;
    }
    return whole;
  }
}
