/*
 * LZO1X is a row of instructions; `state` is how many literals came with the last one, 4 for a run of them:
 *
 *   first byte 22–255     that less 17 literals, state 4; 18–21: that less 17 literals, which is the state, too
 *   0000 LLLL, state 0    a run of 3 + L literals
 *   0000 DDSS, state 1–3  then H: 2 bytes from H × 4 + D + 1 back
 *   0000 DDSS, state 4    then H: 3 bytes from H × 4 + D + 2049 back
 *   0001 HLLL             2 + L bytes from 16384 + H × 16384 + D back; D and S in the next 16 bits; 16384 is the end
 *   001L LLLL             2 + L bytes from D + 1 back; D and S in the next 16 bits
 *   01LD DDSS             then H: 3 + L bytes from H × 8 + D + 1 back
 *   1LLD DDSS             then H: 5 + L bytes from H × 8 + D + 1 back
 *
 * S literals follow each match, and are the state. An L of 0 in the second, fifth and sixth stands for the largest L and
 * bytes that are added up: 255 for each zero byte, and the first that is not zero.
 *
 * Source: Linux, Documentation/staging/lzo.rst.
 */
import { VarveError } from '../base/varve-error.ts';
import { copyMatch } from './lz4.ts';

/**
 * Unpacks an LZO1X stream, which must fit into `target`; returns how many bytes of it are filled.
 *
 * @throws VarveError `CORRUPT`
 */
export function unpackLzo(source: Uint8Array, target: Uint8Array): number {
  return new LzoUnpacker(source, target).run();
}

interface Match {
  readonly distance: number;
  readonly length: number;
  readonly literals: number;
}

class LzoUnpacker {
  readonly #source: Uint8Array;
  readonly #target: Uint8Array;
  #read = 0;
  #written = 0;

  constructor(source: Uint8Array, target: Uint8Array) {
    this.#source = source;
    this.#target = target;
  }

  run(): number {
    let state = 0;
    if (this.#source[0]! > 17) {
      const count = this.#byte() - 17;
      this.#copyLiterals(count);
      state = Math.min(count, 4);
    }
    while (true) {
      const instruction = this.#byte();
      if (instruction < 16 && state === 0) {
        this.#copyLiterals(3 + this.#length(instruction, 15));
        state = 4;
        continue;
      }
      const match = this.#match(instruction, state);
      if (match === undefined) return this.#written;
      this.#copyMatch(match);
      this.#copyLiterals(match.literals);
      state = match.literals;
    }
  }

  /** The match that an instruction stands for; undefined at the end. */
  #match(instruction: number, state: number): Match | undefined {
    const literals = instruction & 3;
    if (instruction < 16) {
      const near = this.#byte() * 4 + (instruction >> 2) + 1;
      return state === 4 ? { distance: near + 2048, length: 3, literals } : { distance: near, length: 2, literals };
    }
    if (instruction < 32) return this.#farMatch(instruction);
    if (instruction < 64) {
      const length = 2 + this.#length(instruction & 31, 31);
      const word = this.#word();
      return { distance: (word >> 2) + 1, length, literals: word & 3 };
    }
    const distance = this.#byte() * 8 + ((instruction >> 2) & 7) + 1;
    const length = instruction < 128 ? 3 + ((instruction >> 5) & 1) : 5 + ((instruction >> 5) & 3);
    return { distance, length, literals };
  }

  #farMatch(instruction: number): Match | undefined {
    const length = 2 + this.#length(instruction & 7, 7);
    const word = this.#word();
    const distance = 16_384 + ((instruction & 8) << 11) + (word >> 2);
    return distance === 16_384 ? undefined : { distance, length, literals: word & 3 };
  }

  #length(stored: number, largest: number): number {
    if (stored !== 0) return stored;
    let length = largest;
    let byte = this.#byte();
    for (; byte === 0; byte = this.#byte()) length += 255;
    return length + byte;
  }

  #copyLiterals(count: number): void {
    if (this.#read + count > this.#source.length) throw this.#damaged('literals are cut off');
    if (this.#written + count > this.#target.length) throw this.#damaged('it holds more than it may');
    this.#target.set(this.#source.subarray(this.#read, this.#read + count), this.#written);
    this.#read += count;
    this.#written += count;
  }

  #copyMatch({ distance, length }: Match): void {
    if (distance > this.#written) throw this.#damaged(`a distance of ${distance} after ${this.#written} bytes`);
    if (this.#written + length > this.#target.length) throw this.#damaged('it holds more than it may');
    copyMatch(this.#target, this.#written, distance, length);
    this.#written += length;
  }

  #byte(): number {
    if (this.#read >= this.#source.length) throw this.#damaged('it is cut off');
    return this.#source[this.#read++]!;
  }

  #word(): number {
    return this.#byte() | (this.#byte() << 8);
  }

  #damaged(why: string): VarveError {
    return new VarveError('CORRUPT', `LZO data are damaged at byte ${this.#read}: ${why}`);
  }
}
