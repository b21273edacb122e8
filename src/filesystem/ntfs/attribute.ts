/*
 * A record of the master file table, little-endian:
 *
 *   byte 0–7   fixups (fixup.ts)                  22–23  flags: 1 in use, 2 a directory
 *       16–17  sequence number                    24–27  how many bytes are used
 *       18–19  how many names it has              28–31  how many there are
 *       20–21  where the first attribute is       32–39  the base record of which this is an extension, or 0
 *
 * and its attributes, ffffffff after the last one:
 *
 *   byte 0–3   type                                   resident            not resident
 *        4–7   length, a multiple of 8                16–19 its length    16–23 first cluster that this part is about
 *          8   1 where it is not resident             20–21 where it is   24–31 last one
 *          9   length of its name, characters                             32–33 where its runs are (run-list.ts)
 *      10–11   where the name is                                             34 clusters a unit of compression, as a power of 2
 *      12–13   flags: 1 compressed, 4000                                  40–47 how long it is on the device
 *              encrypted, 8000 sparse                                     48–55 how long it is
 *      14–15   number in its file                                         56–63 how much of that was written
 *                                                                         64–71 what it takes, if compressed or sparse
 *
 * Source: Linux-NTFS project, NTFS documentation, "FILE record" and "Attributes".
 */

/** The types of attributes. */
export const attributeTypes = {
  standardInformation: 0x10,
  attributeList: 0x20,
  fileName: 0x30,
  volumeName: 0x60,
  volumeInformation: 0x70,
  data: 0x80,
  indexRoot: 0x90,
  indexAllocation: 0xa0,
  reparsePoint: 0xc0,
  extendedAttributes: 0xe0,
} as const;

const end = 0xffff_ffff;
const recordHeader = 48;
const residentHeader = 24;
const elsewhereHeader = 64;
const noName = new Uint8Array(0);

/** What a record of the master file table says of itself. */
export interface RecordHeader {
  readonly isInUse: boolean;
  readonly isDirectory: boolean;
  readonly sequence: number;
  /** The number of the record that this one extends; 0 where it extends none. */
  readonly base: number;
}

/** A part of an attribute that is in clusters, or the only one; lengths in bytes. */
export interface ElsewherePart {
  /** The first cluster of the attribute that this part tells of, and the last one. */
  readonly firstCluster: number;
  readonly lastCluster: number;
  /** Where its clusters are, encoded. */
  readonly runs: Uint8Array;
  /** How many clusters are compressed together, as a power of two; 0 where none are. */
  readonly unitShift: number;
  /** These count in the first part only. */
  readonly size: number;
  readonly writtenSize: number;
  readonly allocated: number;
}

/** An attribute as it is in its record; bytes are views into that. */
export interface Attribute {
  readonly type: number;
  readonly name: Uint8Array;
  /** Its number in the file. */
  readonly instance: number;
  readonly isCompressed: boolean;
  readonly isEncrypted: boolean;
  readonly isSparse: boolean;
  readonly content: Uint8Array | ElsewherePart;
}

/** What a record says of itself. */
export function decodeRecordHeader(record: Uint8Array): RecordHeader {
  const view = viewOf(record);
  const flags = view.getUint16(22, true);
  return {
    isInUse: (flags & 1) !== 0,
    isDirectory: (flags & 2) !== 0,
    sequence: view.getUint16(16, true),
    base: referenceAt(view, 32),
  };
}

/** The number of the record that a reference names: its lower 48 bits. The others are its sequence number. */
export function referenceAt(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint16(offset + 4, true) * 2 ** 32;
}

/** The attributes of a record, or what is wrong with them. */
export function decodeAttributes(record: Uint8Array): Attribute[] | string {
  const view = viewOf(record);
  const attributes: Attribute[] = [];
  let offset = view.getUint16(20, true);
  if (offset < recordHeader - 6 || offset % 8 !== 0) return `has its first attribute at byte ${offset}`;
  while (offset + 4 <= record.length) {
    const type = view.getUint32(offset, true);
    if (type === end) return attributes;
    if (offset + residentHeader > record.length) break;
    const length = view.getUint32(offset + 4, true);
    if (length < residentHeader || length % 8 !== 0 || offset + length > record.length) {
      return `has an attribute of ${length} bytes at byte ${offset}`;
    }
    const attribute = decodeAttribute(record, view, { start: offset, end: offset + length });
    if (typeof attribute === 'string') return `has an attribute at byte ${offset} that ${attribute}`;
    attributes.push(attribute);
    offset += length;
  }
  return 'has attributes without an end';
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Hot: for each attribute of each file that is looked at. */
function decodeAttribute(record: Uint8Array, view: DataView, span: Span): Attribute | string {
  const { start, end } = span;
  const flags = view.getUint16(start + 12, true);
  const nameLength = record[start + 9]! * 2;
  const nameStart = start + view.getUint16(start + 10, true);
  if (nameLength > 0 && nameStart + nameLength > end) return 'has a name past its end';
  const content = record[start + 8] === 0 ? residentContent(record, view, span) : elsewherePart(record, view, span);
  if (typeof content === 'string') return content;
  return {
    type: view.getUint32(start, true),
    name: nameLength === 0 ? noName : record.subarray(nameStart, nameStart + nameLength),
    content,
    instance: view.getUint16(start + 14, true),
    isCompressed: (flags & 0xff) !== 0,
    isEncrypted: (flags & 0x4000) !== 0,
    isSparse: (flags & 0x8000) !== 0,
  };
}

function residentContent(record: Uint8Array, view: DataView, { start, end }: Span): Uint8Array | string {
  const place = start + view.getUint16(start + 20, true);
  const length = view.getUint32(start + 16, true);
  return place + length <= end ? record.subarray(place, place + length) : 'has content past its end';
}

function elsewherePart(record: Uint8Array, view: DataView, { start, end }: Span): ElsewherePart | string {
  if (end - start < elsewhereHeader) return 'is too short to say where its content is';
  const [firstCluster, lastCluster] = [signedAt(view, start + 16), signedAt(view, start + 24)];
  const [allocated, size, writtenSize] = [40, 48, 56].map((place) => signedAt(view, start + place)) as [
    number,
    number,
    number,
  ];
  const runsOffset = view.getUint16(start + 32, true);
  const unitShift = record[start + 34]!;
  if (runsOffset < elsewhereHeader || start + runsOffset > end) return 'has its runs past its end';
  // The last cluster of one without any is −1.
  if (!(firstCluster >= 0 && lastCluster >= firstCluster - 1)) return `has clusters ${firstCluster} to ${lastCluster}`;
  if (![allocated, size, writtenSize].every((each) => Number.isSafeInteger(each) && each >= 0)) {
    return `has ${size} bytes`;
  }
  const hasTaken = (view.getUint16(start + 12, true) & 0x80ff) !== 0 && runsOffset >= 72 && firstCluster === 0;
  const taken = hasTaken ? signedAt(view, start + 64) : allocated;
  if (!Number.isSafeInteger(taken) || taken < 0) return `takes ${taken} bytes`;
  const runs = record.subarray(start + runsOffset, end);
  return { firstCluster, lastCluster, unitShift, size, writtenSize, allocated: taken, runs };
}

function signedAt(view: DataView, offset: number): number {
  return view.getInt32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
