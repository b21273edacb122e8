/** Surrogates: the halves of characters past U+FFFF. */
const firstSurrogate = 0xd800;
const lastSurrogate = 0xdfff;
const replaced = new TextEncoder().encode('_')[0]!;

/**
 * A name that the disk has in UTF-16 as bytes in UTF-8. Half of a pair of surrogates, which such disks allow, becomes three
 * bytes by the same rule, so that different names stay different. No name has a `/` or NUL in it; whoever wrote one meant no
 * good, and gets a `_`.
 */
export function nameFromUtf16(units: Uint16Array): Uint8Array {
  const text = String.fromCharCode(...units);
  const bytes = text.isWellFormed() ? new TextEncoder().encode(text) : encodeIllFormed(text);
  for (let index = 0; index < bytes.length; index++) {
    if (bytes[index] === 0 || bytes[index] === 0x2f) bytes[index] = replaced;
  }
  return bytes;
}

/** The units of a name in UTF-8; undefined for bytes that are none, and no half of a pair. */
export function utf16FromName(name: Uint8Array): Uint16Array | undefined {
  try {
    return unitsOf(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(name));
  } catch {
    return decodeIllFormed(name);
  }
}

/** Little-endian units, copied. Hot: for every name in a directory. */
export function utf16Units(bytes: Uint8Array): Uint16Array {
  const units = new Uint16Array(bytes.length >> 1);
  for (let index = 0; index < units.length; index++) units[index] = bytes[index * 2]! | (bytes[index * 2 + 1]! << 8);
  return units;
}

/** A text as little-endian units. */
export function utf16Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 2);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < text.length; index++) view.setUint16(index * 2, text.charCodeAt(index), true);
  return bytes;
}

function unitsOf(text: string): Uint16Array {
  return Uint16Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
}

/** Source: The WTF-8 encoding, section 4. */
function encodeIllFormed(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const isHalf = code >= firstSurrogate && code <= lastSurrogate;
    if (isHalf) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    else bytes.push(...new TextEncoder().encode(character));
  }
  return Uint8Array.from(bytes);
}

function decodeIllFormed(name: Uint8Array): Uint16Array | undefined {
  const units: number[] = [];
  let start = 0;
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    for (let index = 0; index + 2 < name.length; index++) {
      if (name[index] !== 0xed || name[index + 1]! < 0xa0) continue;
      units.push(...unitsOf(decoder.decode(name.subarray(start, index))));
      units.push(0xd000 | ((name[index + 1]! & 0x3f) << 6) | (name[index + 2]! & 0x3f));
      start = index + 3;
      index += 2;
    }
    units.push(...unitsOf(decoder.decode(name.subarray(start))));
    return Uint16Array.from(units);
  } catch {
    return undefined;
  }
}
