/** What a value holds: a text, a number, or bytes of another kind. */
export type RegistryValue = string | number | Uint8Array;

const texts = new Set([1, 2]);
const number = 4;

/** A value's data by its type: 1 and 2 are texts (of which 2 has variables in it), 4 a number of 32 bits. */
export function decodeValue(type: number, data: Uint8Array): RegistryValue {
  if (texts.has(type)) return new TextDecoder('utf-16le').decode(data).replace(/\0.*$/s, '');
  if (type === number && data.length === 4) return new DataView(data.buffer, data.byteOffset).getUint32(0, true);
  return data;
}

/** A value that has to be a text, and not an empty one. */
export function textValue(value: RegistryValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A value that has to be a number. */
export function numberValue(value: RegistryValue | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
