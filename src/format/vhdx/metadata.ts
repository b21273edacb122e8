/*
 * The metadata region, little-endian: a table of 64 KiB, and behind it the items that it lists.
 *
 * | offset | size | field | |
 * | ---: | ---: | --- | --- |
 * | 0 | 8 | Signature | `metadata` |
 * | 8 | 2 | reserved | |
 * | 10 | 2 | EntryCount | at most 2047 |
 * | 12 | 20 | reserved | |
 * | 32 | 32 × n | entries | ItemId (16), Offset (4) in the region, Length (4), flags (4), reserved (4) |
 *
 * Flags: bit 0 IsUser, bit 1 IsVirtualDisk, bit 2 IsRequired. The items known here:
 *
 * | item | |
 * | --- | --- |
 * | File Parameters | BlockSize (4); bit 0 LeaveBlocksAllocated, bit 1 HasParent (4) |
 * | Virtual Disk Size | 8 bytes |
 * | Virtual Disk ID | a GUID |
 * | Logical Sector Size | 4 bytes: 512 or 4096 |
 * | Physical Sector Size | 4 bytes: 512 or 4096 |
 * | Parent Locator | see `parent-locator.ts` |
 *
 * Source: MS-VHDX, sections 2.6.1 and 2.6.2.
 */
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { decodeGuid, encodeGuid, type Guid } from '../../bytes/guid.ts';
import { corruptImage, unsupportedImage } from '../image-errors.ts';

/** Of the table, in bytes; items are behind it. */
export const metadataTableLength = 65536;

/** The flags of an entry. */
export const metadataFlag = { isUser: 1, isVirtualDisk: 2, isRequired: 4 } as const;

/** The identities of the items known here. */
export const metadataItem = {
  fileParameters: 'caa16737-fa36-4d43-b3b6-33f0aa44e76b',
  virtualDiskSize: '2fa54224-cd1b-4876-b211-5dbed83bf4b8',
  virtualDiskId: 'beca12ab-b2e6-4523-93ef-c309e000c746',
  logicalSectorSize: '8141bf1d-a96f-4709-ba47-f233a8faab5f',
  physicalSectorSize: 'cda348c7-445d-4471-9cc9-e9885251c556',
  parentLocator: 'a8d35f2d-b30b-454d-abf7-d3d84834ab0c',
} as const;

/** An entry of the table. */
export interface MetadataEntry {
  readonly item: Guid;
  /** From the start of the region, in bytes. */
  readonly offset: number;
  /** In bytes. */
  readonly length: number;
  readonly flags: number;
}

/** An item and its bytes. */
export interface MetadataContent {
  readonly item: Guid;
  readonly flags: number;
  readonly content: Uint8Array;
}

const signature = 'metadata';
const maximumEntryCount = 2047;
const maximumItemLength = 2 ** 20;
const knownItems: readonly Guid[] = Object.values(metadataItem);

/**
 * The entries of the items known here.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for a required item that is not known here
 */
export function decodeMetadataTable(bytes: Uint8Array, regionLength: number, name: string): Map<Guid, MetadataEntry> {
  const reader = new ByteReader(bytes, `metadata table of ${name}`);
  if (Buffer.from(reader.bytes(8)).toString('latin1') !== signature) {
    throw corruptImage(name, 'its metadata table does not have the right Signature');
  }
  reader.skip(2);
  const count = reader.u16le();
  if (count > maximumEntryCount) throw corruptImage(name, `EntryCount of its metadata table is ${count}, over 2047`);
  reader.skip(20);
  const found = new Map<Guid, MetadataEntry>();
  for (let index = 0; index < count; index += 1) {
    const entry = decodeEntry(reader);
    const { flags, item } = entry;
    const isKnown = knownItems.includes(item) && (flags & metadataFlag.isUser) === 0;
    if (!isKnown && (flags & metadataFlag.isRequired) !== 0) {
      throw unsupportedImage(name, `it needs the metadata item ${item}, which is not known here`);
    }
    if (!isKnown) continue;
    if (found.has(item)) throw corruptImage(name, `its metadata table lists the item ${item} twice`);
    checkEntry(entry, regionLength, name);
    found.set(item, entry);
  }
  return found;
}

function decodeEntry(reader: ByteReader): MetadataEntry {
  const item = decodeGuid(reader.bytes(16));
  const entry = { item, offset: reader.u32le(), length: reader.u32le(), flags: reader.u32le() };
  reader.skip(4);
  return entry;
}

function checkEntry({ item, length, offset }: MetadataEntry, regionLength: number, name: string): void {
  if (offset >= metadataTableLength && length <= maximumItemLength && offset + length <= regionLength) return;
  throw corruptImage(name, `the metadata item ${item} cannot be ${length} bytes at byte ${offset} of its region`);
}

/** The table and the items behind it, one behind the other; the rest of the region is zeros. */
export function encodeMetadata(items: readonly MetadataContent[]): Uint8Array {
  const length = items.reduce((sum, { content }) => sum + content.length, metadataTableLength);
  const writer = new ByteWriter(length);
  writer.utf8(signature);
  writer.skip(2);
  writer.u16le(items.length);
  writer.skip(20);
  let offset = metadataTableLength;
  for (const { content, flags, item } of items) {
    writer.put(encodeGuid(item));
    writer.u32le(offset);
    writer.u32le(content.length);
    writer.u32le(flags);
    writer.skip(4);
    writer.bytes.set(content, offset);
    offset += content.length;
  }
  return writer.bytes;
}
