import { VarveError } from '../../base/varve-error.ts';
import { type Ipv4, parseIpv4 } from './ipv4.ts';
import { optionCodes } from './option-codes.ts';

// Options: u8 code, u8 length, value; code 0 is a byte of padding, code 255 ends. What is longer than 255 bytes stands in
// several options of one code. Source: RFC 2132, section 2; RFC 3396, sections 5 to 7.

/** Options by code, each whole. */
export type Options = Map<number, Uint8Array>;

/**
 * Adds the options of one field to `options`; an option that is there already goes on.
 *
 * @throws VarveError `CORRUPT` for an option that does not end in its field
 */
export function decodeOptions(field: Uint8Array, options: Options = new Map()): Options {
  for (let position = 0; position < field.length; ) {
    const code = field[position]!;
    position += 1;
    if (code === optionCodes.PAD) continue;
    if (code === optionCodes.END) break;
    const length = field[position] ?? Number.POSITIVE_INFINITY;
    const end = position + 1 + length;
    if (end > field.length) throw new VarveError('CORRUPT', `DHCP packet: option ${code} does not end in its field`);
    const value = field.subarray(position + 1, end);
    const before = options.get(code);
    options.set(code, before === undefined ? value : Buffer.concat([before, value]));
    position = end;
  }
  return options;
}

/** One option, in as many pieces as its length takes. */
export function encodeOption(code: number, value: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [];
  let position = 0;
  do {
    const piece = value.subarray(position, position + 255);
    pieces.push(Uint8Array.of(code, piece.length), piece);
    position += 255;
  } while (position < value.length);
  return Buffer.concat(pieces);
}

/** Options one after the other, with an end: what options hold that hold options (43, 175). */
export function encodeOptions(options: Iterable<readonly [number, Uint8Array]>): Uint8Array {
  const encoded = Array.from(options, ([code, value]) => encodeOption(code, value));
  return Buffer.concat([...encoded, Uint8Array.of(optionCodes.END)]);
}

/** Values as options have them. */
export const encodeValue = {
  text: (text: string): Uint8Array => Buffer.from(text, 'utf8'),
  u8: (value: number): Uint8Array => Uint8Array.of(value),
  u16: (value: number): Uint8Array => Uint8Array.of(value >>> 8, value),
  u32: (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value),
  addresses: (...addresses: (Ipv4 | string)[]): Uint8Array =>
    Buffer.concat(
      addresses.map((address) => encodeValue.u32(typeof address === 'string' ? parseIpv4(address) : address)),
    ),
};

/** A number of up to four bytes; undefined where the option is missing or has another length. */
export function numberOf(value: Uint8Array | undefined, length: 1 | 2 | 4): number | undefined {
  if (value?.length !== length) return undefined;
  return value.reduce((sum, byte) => sum * 256 + byte, 0);
}

/** Text, without the zero bytes that some put after it. */
export function textOf(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString('latin1').replace(/\0+$/, '');
}
