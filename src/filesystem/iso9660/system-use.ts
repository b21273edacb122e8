/*
 * The system use area of a directory record has fields, and so have the areas that it goes on in:
 *
 *   byte  0  signature, 2 letters         SP  4  be ef, 6  how many bytes before the fields of other records are skipped
 *         2  length                       CE  4  block, 12  offset in it, 20  length of an area in which it goes on
 *         3  version                      ST  no more fields
 *
 * Numbers of CE are 32 bits, first little-endian, then big-endian. SP is the first field of the root's own record, on
 * CD-ROM XA behind 14 other bytes.
 *
 * Source: IEEE P1281, System Use Sharing Protocol 1.12, sections 4 and 5.
 */
import type { Iso9660Volume } from './volume.ts';

const headerLength = 4;
const xaLength = 14;
/** Nobody needs more: names, symlinks and attributes together have less. */
const mostAreas = 32;
const longestArea = 65_536;

/** A field, without what it begins with. */
export interface SystemUseField {
  readonly signature: string;
  readonly data: Uint8Array;
}

/** How many bytes of other records' areas are skipped, as SP in the root's area says; undefined where there is no SP. */
export function skippedLength(rootArea: Uint8Array): number | undefined {
  for (const offset of [0, xaLength]) {
    const [s, p, , , be, ef, skip] = rootArea.subarray(offset, offset + 7);
    if (s === 0x53 && p === 0x50 && be === 0xbe && ef === 0xef) return skip;
  }
  return undefined;
}

/** The fields of an area and of those it goes on in. `what` names the record in errors. @throws VarveError `CORRUPT` */
export async function readFields(volume: Iso9660Volume, area: Uint8Array, what: string): Promise<SystemUseField[]> {
  const fields: SystemUseField[] = [];
  let rest: Uint8Array | undefined = area;
  for (let count = 0; rest !== undefined; count++) {
    if (count > mostAreas) throw volume.corrupt(`${what} goes on in more than ${mostAreas} areas`);
    const found = fieldsIn(volume, rest, what);
    fields.push(...found);
    const more = found.find(({ signature }) => signature === 'CE');
    rest = more && (await readArea(volume, more.data, what));
  }
  return fields;
}

function fieldsIn(volume: Iso9660Volume, area: Uint8Array, what: string): SystemUseField[] {
  const fields: SystemUseField[] = [];
  for (let offset = 0; offset + headerLength <= area.length && area[offset] !== 0; ) {
    const signature = String.fromCharCode(area[offset]!, area[offset + 1]!);
    const length = area[offset + 2]!;
    if (length < headerLength || offset + length > area.length) {
      throw volume.corrupt(`${what} has a field ${JSON.stringify(signature)} of ${length} bytes`);
    }
    if (signature === 'ST') break;
    fields.push({ signature, data: area.subarray(offset + headerLength, offset + length) });
    offset += length;
  }
  return fields;
}

async function readArea(volume: Iso9660Volume, data: Uint8Array, what: string): Promise<Uint8Array> {
  if (data.length < 24) throw volume.corrupt(`${what} goes on in an area that is not said`);
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const [block, offset, length] = [view.getUint32(0, true), view.getUint32(8, true), view.getUint32(16, true)];
  if (length > longestArea) throw volume.corrupt(`${what} goes on in an area of ${length} bytes`);
  const area = new Uint8Array(length);
  await volume.read(area, block * volume.blockSize + offset, `where ${what} goes on`);
  return area;
}
