import { corruptImage } from './image-errors.ts';

/**
 * The attributes in the content of a pax header: lines of `LENGTH KEY=VALUE`, where LENGTH counts all bytes of the line.
 *
 * Source: POSIX.1-2017, pax, section "pax Extended Header".
 *
 * @throws VarveError `CORRUPT`
 */
export function decodePaxAttributes(bytes: Uint8Array, archive: string): Map<string, string> {
  const attributes = new Map<string, string>();
  for (let start = 0; start < bytes.length && bytes[start] !== 0; ) {
    const space = bytes.indexOf(0x20, start);
    const length = Number(new TextDecoder().decode(bytes.subarray(start, Math.min(space, start + 10))));
    const line = bytes.subarray(space + 1, start + length - 1);
    const sign = line.indexOf(0x3d);
    if (space === -1 || !(length > space - start + 1) || start + length > bytes.length || sign === -1) {
      throw corruptImage(archive, 'it has a pax header that cannot be read');
    }
    const [key, value] = [line.subarray(0, sign), line.subarray(sign + 1)];
    attributes.set(new TextDecoder().decode(key), new TextDecoder().decode(value));
    start += length;
  }
  return attributes;
}

/** The content of a pax header with these attributes. */
export function encodePaxAttributes(
  attributes: Iterable<readonly [key: string, value: string | Uint8Array]>,
): Uint8Array {
  const lines: Uint8Array[] = [];
  for (const [key, value] of attributes) {
    const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as string), Buffer.of(0x0a)]);
    // The digits of the length count, too.
    let digits = String(rest.length).length;
    if (String(rest.length + digits).length > digits) digits += 1;
    lines.push(Buffer.from(String(rest.length + digits)), rest);
  }
  return Buffer.concat(lines);
}
