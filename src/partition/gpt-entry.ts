/*
 * An entry of a GPT; numbers are little-endian:
 *
 *   byte 0–15  type, zeros for an entry that is free   40–47  last LBA, which belongs to it
 *       16–31  the partition's own GUID                48–55  attributes
 *       32–39  first LBA                               56–127 name, UTF-16, with zeros behind it
 *
 * Source: UEFI Specification 2.10, section 5.3.3.
 */
import { ByteReader } from '../bytes/byte-reader.ts';
import { decodeGuid, zeroGuid } from '../bytes/guid.ts';
import { lbaAt } from './gpt-header.ts';
import type { Partition } from './partition-table.ts';
import { gptTypeName } from './type-names.ts';

/** The bits that mean the same for every type; from bit 48 on each type has its own. */
const namedBits = ['RequiredPartition', 'NoBlockIOProtocol', 'LegacyBIOSBootable'];
const firstOwnBit = 48;

/** The partition of an entry; undefined for one that is free, the reason where it cannot be one. */
export function decodeGptEntry(entry: Uint8Array, index: number, sectorSize: number): Partition | string | undefined {
  const reader = new ByteReader(entry, 'GPT entry');
  const type = decodeGuid(reader.bytes(16));
  if (type === zeroGuid) return undefined;
  const number = index + 1;
  const id = decodeGuid(reader.bytes(16));
  const [first, last] = [lbaAt(reader), lbaAt(reader)];
  if (!(first <= last && Number.isFinite(last)))
    return `partition ${number} ends before it starts, or where no disk is`;
  const attributes = attributesOf(reader.opaque64le());
  const name = nameOf(reader.bytes(72));
  const [offset, length] = [first * sectorSize, (last - first + 1) * sectorSize];
  return { number, offset, length, kind: 'primary', type, typeName: gptTypeName(type), id, name, attributes };
}

function attributesOf(bits: bigint): string[] {
  const places = Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => (bits >> BigInt(bit)) % 2n === 1n);
  return places.map((bit) => namedBits[bit] ?? (bit < firstOwnBit ? `reserved:${bit}` : `GUID:${bit}`));
}

function nameOf(bytes: Uint8Array): string | undefined {
  const name = Buffer.from(bytes).toString('utf16le').replace(/\0.*$/s, '').toWellFormed();
  return name === '' ? undefined : name;
}
