/** An identity of 16 bytes as people write it: `2dc27766-f623-4200-9d64-115e9bfd4a08`. */
export type Guid = string;

/** The one that stands for none. */
export const zeroGuid: Guid = '00000000-0000-0000-0000-000000000000';

/** The places of the bytes in the order they are written in, where the first three groups are little-endian numbers. */
const littleEndianOrder = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** The text of 16 bytes in the order of a UUID. Source: RFC 9562, section 4. */
export function decodeUuid(bytes: Uint8Array): Guid {
  const digits = Buffer.from(bytes.subarray(0, 16)).toString('hex');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** The 16 bytes of a UUID in its own order. */
export function encodeUuid(guid: Guid): Uint8Array {
  return Uint8Array.from(Buffer.from(guid.replaceAll('-', ''), 'hex'));
}

/** The text of 16 bytes as Windows stores them. Source: MS-DTYP, section 2.3.4.2. */
export function decodeGuid(bytes: Uint8Array): Guid {
  return decodeUuid(Uint8Array.from(littleEndianOrder, (place) => bytes[place]!));
}

/** The 16 bytes of a GUID as Windows stores them. */
export function encodeGuid(guid: Guid): Uint8Array {
  const bytes = encodeUuid(guid);
  return Uint8Array.from(littleEndianOrder, (place) => bytes[place]!);
}

/** A new one, like no other. */
export function newGuid(): Guid {
  return crypto.randomUUID();
}
