/*
 * An LZ4 block is a row of sequences:
 *
 *   token    high 4 bits: how many literals; low 4 bits: how long the match is, less 4; 15 goes on in bytes that are
 *            added up, until one is not 255
 *   literals
 *   offset   16 bits, little-endian: how far back the match begins; not in the last sequence, which has literals only
 *
 * Source: LZ4 Block Format Description, lz4.github.io/lz4, doc/lz4_Block_format.md.
 */
import { VarveError } from '../base/varve-error.ts';

const shortestMatch = 4;

/**
 * Unpacks an LZ4 block until it ends or `target` is full; returns how many bytes of `target` it has filled.
 *
 * @throws VarveError `CORRUPT`
 */
export function unpackLz4(source: Uint8Array, target: Uint8Array): number {
  let read = 0;
  let written = 0;
  const lengthFrom = (nibble: number): number => {
    let length = nibble;
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; length += byte) {
      if (read >= source.length) throw damaged(read, 'a length is cut off');
      byte = source[read++]!;
    }
    return length;
  };
  while (read < source.length && written < target.length) {
    const token = source[read++]!;
    const literals = Math.min(lengthFrom(token >> 4), target.length - written);
    if (read + literals > source.length) throw damaged(read, 'literals are cut off');
    target.set(source.subarray(read, read + literals), written);
    read += literals;
    written += literals;
    if (read === source.length || written === target.length) break;
    if (read + 2 > source.length) throw damaged(read, 'an offset is cut off');
    const distance = source[read]! | (source[read + 1]! << 8);
    read += 2;
    if (distance === 0 || distance > written) throw damaged(read, `an offset of ${distance} after ${written} bytes`);
    const length = Math.min(lengthFrom(token & 15) + shortestMatch, target.length - written);
    copyMatch(target, written, distance, length);
    written += length;
  }
  return written;
}

/** Copies bytes from `distance` before `to`; those that the copy itself makes are copied again. */
export function copyMatch(target: Uint8Array, to: number, distance: number, length: number): void {
  if (distance >= length) target.copyWithin(to, to - distance, to - distance + length);
  else for (let index = to; index < to + length; index++) target[index] = target[index - distance]!;
}

function damaged(place: number, why: string): VarveError {
  return new VarveError('CORRUPT', `LZ4 data are damaged at byte ${place}: ${why}`);
}
