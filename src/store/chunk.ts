/** How a disk is cut: a chunk is 64 KiB, the last one of a disk padded with zeros. */
export const chunkSize = 65_536;

/** A name is the BLAKE3-256 of what it names. */
export const nameLength = 32;

/** A name as a key for maps and sets: its hexadecimal digits. */
export type NameKey = string;

/** The name of a chunk of zeros, and of a map node below which all is zero: such have no body. */
export const zeroName: Uint8Array = new Uint8Array(nameLength);

export function isZeroName(name: Uint8Array): boolean {
  return sameName(name, zeroName);
}

export function sameName(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** The 64 hexadecimal digits of a name. */
export function hexOf(name: Uint8Array): NameKey {
  return Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString('hex');
}

/** The name that 64 hexadecimal digits spell; `undefined` when `text` is anything else. */
export function nameFromHex(text: string): Uint8Array | undefined {
  return /^[0-9a-f]{64}$/.test(text) ? Buffer.from(text, 'hex') : undefined;
}
