import { VarveError } from '../../base/varve-error.ts';

/*
 * The text of logins and of text requests: `key=value` and a zero byte, one after the other. Binary values are
 * hexadecimal after 0x or base64 after 0b. Source: RFC 7143, section 6.1.
 */

/** All pieces of one text together, in bytes. */
export const maximumTextLength = 2 ** 16;
const maximumPairs = 256;
const keyForm = /^[A-Z][A-Za-z0-9.+@_#-]{0,62}$/;

/**
 * The pairs of a text in their order.
 *
 * @throws VarveError `CORRUPT` for what is no text, a key that stands there twice, or too many
 */
export function decodeText(bytes: Uint8Array): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const line of Buffer.from(bytes).toString('utf8').split('\0')) {
    if (line === '') continue;
    const split = line.indexOf('=');
    const key = line.slice(0, Math.max(split, 0));
    if (!keyForm.test(key)) throw new VarveError('CORRUPT', 'a text of iSCSI has something that is no key=value');
    if (pairs.has(key)) throw new VarveError('CORRUPT', `a text of iSCSI has ${key} twice`);
    if (pairs.size >= maximumPairs) throw new VarveError('CORRUPT', 'a text of iSCSI has too many keys');
    pairs.set(key, line.slice(split + 1));
  }
  return pairs;
}

/** The pairs as bytes. */
export function encodeText(pairs: Iterable<readonly [string, string]>): Uint8Array {
  return Buffer.from(Array.from(pairs, ([key, value]) => `${key}=${value}\0`).join(''));
}

/** A binary value; `undefined` for what is none, or longer than `maximumLength` bytes. */
export function decodeBinary(value: string, maximumLength: number): Uint8Array | undefined {
  const digits = value.slice(2);
  if (value.length > 2 + 2 * maximumLength + 2) return undefined;
  if (/^0x/i.test(value) && /^[0-9a-f]+$/i.test(digits)) {
    const decoded = Buffer.from(digits.length % 2 === 1 ? `0${digits}` : digits, 'hex');
    return decoded.length <= maximumLength ? decoded : undefined;
  }
  if (!/^0b/i.test(value) || !/^[A-Za-z0-9+/]+={0,2}$/.test(digits)) return undefined;
  const decoded = Buffer.from(digits, 'base64');
  return decoded.length <= maximumLength ? decoded : undefined;
}

/** A binary value in hexadecimal. */
export function encodeBinary(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).toString('hex')}`;
}
