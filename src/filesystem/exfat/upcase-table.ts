/*
 * The up-case table: for each character of UTF-16, in order, the one that stands for it when names are compared. ffff and
 * a count stand for as many that stand for themselves. Its checksum is like that of the boot region, of all its bytes.
 *
 * Source: Microsoft, exFAT file system specification, section 7.2.
 */

const unitCount = 0x1_0000;
/** As long as a table may be, in bytes: one character for each, and no runs. */
export const longestUpcaseTable = unitCount * 2;

/** For each character the one that it is compared as. */
export type UpcaseTable = Uint16Array;

/** The table that these bytes stand for, or undefined where they do not fit `checksum`. */
export function decodeUpcaseTable(bytes: Uint8Array, checksum: number): UpcaseTable | undefined {
  let sum = 0;
  for (const byte of bytes) sum = (((sum & 1) << 31) | (sum >>> 1)) + byte;
  if (sum >>> 0 !== checksum) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const table = Uint16Array.from({ length: unitCount }, (_, unit) => unit);
  const count = bytes.length >> 1;
  for (let index = 0, unit = 0; index < count && unit < unitCount; index++) {
    const value = view.getUint16(index * 2, true);
    if (value === 0xffff && index + 1 < count) unit += view.getUint16(++index * 2, true);
    else table[unit++] = value;
  }
  return table;
}

/**
 * The hash of a name, 16 bits: by it names are told apart before they are compared.
 *
 * Source: Microsoft, exFAT file system specification, section 7.6.4.
 */
export function nameHash(table: UpcaseTable, name: Uint16Array): number {
  let hash = 0;
  for (const unit of name) {
    const upper = table[unit]!;
    for (const byte of [upper & 0xff, upper >> 8]) hash = ((((hash & 1) << 15) | (hash >> 1)) + byte) & 0xffff;
  }
  return hash;
}

/** Whether two names are the same to this table. */
export function isSameName(table: UpcaseTable, one: Uint16Array, other: Uint16Array): boolean {
  return one.length === other.length && one.every((unit, index) => table[unit] === table[other[index]!]);
}
