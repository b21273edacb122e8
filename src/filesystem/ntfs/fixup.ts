/*
 * Records and index blocks end each 512 bytes with the same two bytes, and keep what belongs there in a list of their own, so
 * that one that was written only in part shows:
 *
 *   byte 0–3  magic: "FILE", "INDX", "RSTR"; "BAAD" where somebody found it broken
 *        4–5  where the list is, in bytes       6–7  how many pairs of bytes it has: the mark, then one for each 512 bytes
 *
 * Source: Linux-NTFS project, NTFS documentation, "Fixup".
 */

const stride = 512;

/** Checks what protects a record and puts back what belongs there; returns what is wrong with it, if anything. */
export function applyFixups(record: Uint8Array, magic: string): string | undefined {
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  const found = String.fromCharCode(...record.subarray(0, 4));
  if (found !== magic) return found === 'BAAD' ? 'was found to be broken' : `does not begin with ${magic}`;
  const listOffset = view.getUint16(4, true);
  const count = record.length / stride;
  const isInside = listOffset + (count + 1) * 2 <= stride && listOffset % 2 === 0;
  if (view.getUint16(6, true) !== count + 1 || !isInside) return 'has a list of fixups that cannot be';
  const mark = view.getUint16(listOffset, true);
  for (let index = 1; index <= count; index++) {
    const place = index * stride - 2;
    if (view.getUint16(place, true) !== mark) return `was written in part (byte ${place})`;
    view.setUint16(place, view.getUint16(listOffset + index * 2, true), true);
  }
  return undefined;
}
