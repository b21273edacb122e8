/*
 * A program for EFI, all numbers little-endian:
 *
 *     0x3c  4  where "PE\0\0" is        after it, 20 bytes: 2 2 number of sections, 16 2 length of what comes next
 *     a section, 40 bytes:              0 8 name   8 4 length   20 4 where it is in the file
 */
const headLength = 24;
const sectionLength = 40;
const mostSections = 96;

/** The text in a section of a program; undefined where there is none, or it lies outside of `bytes`. Source: Microsoft, PE format. */
export function textInSection(bytes: Uint8Array, wanted: string): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const head = bytes.length < 0x40 ? bytes.length : view.getUint32(0x3c, true);
  if (head + headLength > bytes.length || view.getUint32(head) !== 0x50450000) return undefined;
  const first = head + headLength + view.getUint16(head + 20, true);
  const count = Math.min(view.getUint16(head + 6, true), mostSections);
  for (let at = first; at < first + count * sectionLength && at + sectionLength <= bytes.length; at += sectionLength) {
    const name = new TextDecoder('latin1').decode(bytes.subarray(at, at + 8)).replace(/\0+$/, '');
    if (name !== wanted) continue;
    const [length, start] = [view.getUint32(at + 8, true), view.getUint32(at + 20, true)];
    if (start + length > bytes.length) return undefined;
    return new TextDecoder().decode(bytes.subarray(start, start + length)).replace(/[\0\s]+$/, '');
  }
  return undefined;
}
