/*
 * The snapshot table: one entry after the other, each padded to 8 bytes; big-endian.
 *
 *   byte   0–7    l1_table_offset               24–31   vm_clock_nsec
 *          8–11   l1_size, entries              32–35   vm_state_size, 32 bits
 *         12–13   length of the id              36–39   extra_data_size
 *         14–15   length of the name            40–     extra data, then id, name
 *         16–19   date_sec
 *         20–23   date_nsec
 *
 * Extra data, as far as extra_data_size goes; version 3 has the first two:
 *
 *   byte   0–7    vm_state_size, 64 bits        16–23   icount
 *          8–15   disk_size                     24–     not known here, kept
 *
 * Source: QEMU docs/interop/qcow2.txt, section "Snapshots".
 */
import { isUtf8 } from 'node:buffer';
import { alignUp } from '../../../bytes/align.ts';
import { ByteReader } from '../../../bytes/byte-reader.ts';
import { ByteWriter } from '../../../bytes/byte-writer.ts';
import { corruptImage } from '../../image-errors.ts';

/** A snapshot as the table has it. */
export interface SnapshotEntry {
  readonly l1TableOffset: number;
  /** Entries, not bytes. */
  readonly l1Size: number;
  readonly id: string;
  readonly name: string;
  /** Since 1970. */
  readonly dateSeconds: number;
  readonly dateNanoseconds: number;
  readonly clockNanoseconds: bigint;
  /** Of the saved machine state, in bytes. */
  readonly machineStateSize: number;
  /** Of the disk then, in bytes; undefined where the image's was not kept and is taken for the same. */
  readonly diskSize: number | undefined;
  /** What follows `disk_size` in the extra data, as it is. */
  readonly furtherData: Uint8Array;
}

/** The bytes of an entry before its extra data. */
const snapshotEntryLength = 40;
const machineStateField = 8;
const knownExtraLength = 16;
const maximumExtraLength = 1024;

/** No entry is longer, in bytes. */
export const maximumSnapshotEntryLength = snapshotEntryLength + maximumExtraLength + 2 * 65535 + 8;

/**
 * The entry at the reader's place, which is left at the next one.
 *
 * @throws VarveError `CORRUPT`
 */
export function decodeSnapshotEntry(reader: ByteReader, imageName: string): SnapshotEntry {
  const start = reader.position;
  const l1TableOffset = reader.u64be('l1_table_offset');
  const l1Size = reader.u32be();
  const idLength = reader.u16be();
  const nameLength = reader.u16be();
  const times = {
    dateSeconds: reader.u32be(),
    dateNanoseconds: reader.u32be(),
    clockNanoseconds: reader.opaque64be(),
  };
  const stateSize = reader.u32be();
  const extra = decodeExtraData(reader, imageName);
  const id = textOf(reader.bytes(idLength));
  const name = textOf(reader.bytes(nameLength));
  reader.skip(Math.min(alignUp(reader.position - start, 8) - (reader.position - start), reader.remaining));
  return {
    ...{ l1TableOffset, l1Size, id, name, ...times },
    machineStateSize: extra.machineStateSize ?? stateSize,
    ...{ diskSize: extra.diskSize, furtherData: extra.furtherData },
  };
}

function decodeExtraData(reader: ByteReader, imageName: string) {
  const length = reader.u32be();
  if (length > maximumExtraLength) {
    const why = `extra_data_size of a snapshot is ${length}, and may be at most ${maximumExtraLength}`;
    throw corruptImage(imageName, why);
  }
  const extra = new ByteReader(reader.bytes(length), `snapshot table of ${imageName}`);
  const machineStateSize = extra.remaining >= machineStateField ? extra.u64be('VM state size') : undefined;
  const diskSize = extra.remaining >= 8 ? extra.u64be('virtual disk size') : undefined;
  return { machineStateSize, diskSize, furtherData: extra.bytes(extra.remaining).slice() };
}

/** Names are whatever bytes their maker typed; what is no UTF-8 was typed long ago. */
function textOf(bytes: Uint8Array): string {
  const isText = isUtf8(bytes);
  return new TextDecoder(isText ? 'utf-8' : 'latin1', { ignoreBOM: true }).decode(bytes);
}

/** The table of `entries`, with extra data as version 3 wants them. `imageSize` stands in for a disk size that is not known. */
export function encodeSnapshotTable(entries: readonly SnapshotEntry[], imageSize: number): Uint8Array {
  const lengths = entries.map(encodedLength);
  const writer = new ByteWriter(lengths.reduce((sum, length) => sum + length, 0));
  let start = 0;
  for (const [index, entry] of entries.entries()) {
    writer.seek(start);
    encodeEntry(writer, entry, imageSize);
    start += lengths[index]!;
  }
  return writer.bytes;
}

function encodedLength({ furtherData, id, name }: SnapshotEntry): number {
  const extraLength = knownExtraLength + furtherData.length;
  return alignUp(snapshotEntryLength + extraLength + Buffer.byteLength(id) + Buffer.byteLength(name), 8);
}

function encodeEntry(writer: ByteWriter, entry: SnapshotEntry, imageSize: number): void {
  writer.u64be(entry.l1TableOffset);
  writer.u32be(entry.l1Size);
  writer.u16be(Buffer.byteLength(entry.id));
  writer.u16be(Buffer.byteLength(entry.name));
  writer.u32be(entry.dateSeconds);
  writer.u32be(entry.dateNanoseconds);
  writer.opaque64be(entry.clockNanoseconds);
  // A state of 4 GiB and more has its size in the extra data alone.
  writer.u32be(entry.machineStateSize < 2 ** 32 ? entry.machineStateSize : 0);
  writer.u32be(knownExtraLength + entry.furtherData.length);
  writer.u64be(entry.machineStateSize);
  writer.u64be(entry.diskSize ?? imageSize);
  writer.put(entry.furtherData);
  writer.utf8(entry.id);
  writer.utf8(entry.name);
}
