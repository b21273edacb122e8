import { VarveError } from '../../../base/varve-error.ts';

/*
 * A header as rpm's database has it, all numbers big-endian: the two counts, the index, then the data.
 *
 *     0   4  entries of the index
 *     4   4  bytes of data
 *     8      the index, 16 bytes an entry:  0 4 tag   4 4 type   8 4 offset in the data   12 4 count
 *
 * Types: 3 16-bit numbers, 4 32-bit, 5 64-bit, 6 a string, 8 strings, 9 strings, one for each language.
 * Source: RPM's manual, "RPM v4 package format", header; "RPM tags".
 */
const entryLength = 16;
const countsLength = 8;
/** As rpm itself has it. */
const mostEntries = 0xffff;

const tags = {
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  summary: 1004,
  description: 1005,
  installTime: 1008,
  size: 1009,
  vendor: 1011,
  license: 1014,
  url: 1020,
  architecture: 1022,
  sourcePackage: 1044,
  longSize: 5009,
} as const;
const names = new Map<number, keyof typeof tags>(
  Object.entries(tags).map(([name, tag]) => [tag, name as keyof typeof tags]),
);

/** What a header says of those things that are wanted of it: strings, and numbers. */
export type RpmHeader = Partial<Record<keyof typeof tags, string | number>>;

/** Takes a header apart. `what` names it in errors. @throws VarveError `CORRUPT` */
export function decodeRpmHeader(bytes: Uint8Array, what: string): RpmHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entryCount = bytes.length < countsLength ? 0 : view.getUint32(0);
  const dataStart = countsLength + entryCount * entryLength;
  if (entryCount === 0 || entryCount > mostEntries || dataStart + view.getUint32(4) > bytes.length) {
    throw new VarveError(
      'CORRUPT',
      `${what} is no header of a package: its lengths are not those of ${bytes.length} bytes`,
    );
  }
  const data = bytes.subarray(dataStart, dataStart + view.getUint32(4));
  const header: RpmHeader = {};
  for (let index = 0; index < entryCount; index++) {
    const at = countsLength + index * entryLength;
    const name = names.get(view.getUint32(at));
    if (name === undefined) continue;
    const offset = view.getUint32(at + 8);
    header[name] = valueAt(data, offset, view.getUint32(at + 4), `${what}, tag ${view.getUint32(at)}`);
  }
  return header;
}

/** The first value of an entry: all that the tags above have. */
function valueAt(data: Uint8Array, offset: number, type: number, what: string): string | number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const length = type === 5 ? 8 : type === 4 ? 4 : type === 3 ? 2 : 1;
  if (offset + length > data.length) throw new VarveError('CORRUPT', `${what} lies past the end of the data`);
  if (type === 3) return view.getUint16(offset);
  if (type === 4) return view.getUint32(offset);
  if (type === 5) return Number(view.getBigUint64(offset));
  if (type !== 6 && type !== 8 && type !== 9) throw new VarveError('CORRUPT', `${what} has the type ${type}`);
  const end = data.indexOf(0, offset);
  if (end < 0) throw new VarveError('CORRUPT', `${what} is a string without an end`);
  return new TextDecoder().decode(data.subarray(offset, end));
}
