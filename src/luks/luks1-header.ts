/*
 * The header of LUKS version 1, 592 bytes, big-endian; texts are padded with zeros. Sectors have 512 bytes.
 *
 *   byte   0–5    magic "LUKS\xba\xbe"          112–131  mk-digest
 *          6–7    version, 1                    132–163  mk-digest-salt
 *          8–39   cipher-name: aes              164–167  mk-digest-iterations
 *         40–71   cipher-mode: xts-plain64      168–207  uuid
 *         72–103  hash-spec: sha256             208–591  eight key slots, 48 bytes each
 *        104–107  payload-offset, sectors
 *        108–111  key-bytes
 *
 * Key slot:
 *
 *   byte   0–3    active: 0x00ac71f3 yes, 0x0000dead no
 *          4–7    iterations
 *          8–39   salt
 *         40–43   key-material-offset, sectors
 *         44–47   stripes
 *
 * Source: LUKS On-Disk Format Specification, version 1.2.3, figures 2 and 3.
 */
import { VarveError } from '../base/varve-error.ts';
import { ByteReader } from '../bytes/byte-reader.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';

/** A place for the key, wrapped in one passphrase. */
export interface LuksKeySlot {
  readonly active: boolean;
  readonly iterations: number;
  /** 32 bytes. */
  readonly salt: Uint8Array;
  /** From the start of the header, in sectors of 512 bytes. */
  readonly keyMaterialOffset: number;
  readonly stripes: number;
}

/** The header's fields, named as in the specification. */
export interface Luks1Header {
  readonly cipherName: string;
  readonly cipherMode: string;
  readonly hashSpec: string;
  /** In sectors of 512 bytes. */
  readonly payloadOffset: number;
  /** How long the key is, in bytes. */
  readonly keyBytes: number;
  /** 20 bytes. */
  readonly digest: Uint8Array;
  /** 32 bytes. */
  readonly digestSalt: Uint8Array;
  readonly digestIterations: number;
  readonly uuid: string;
  /** Eight. */
  readonly keySlots: readonly LuksKeySlot[];
}

/** The length of the header in bytes. */
export const luks1HeaderLength = 592;

const magic = Uint8Array.of(0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe);
const activeMark = 0x00ac71f3;
const inactiveMark = 0x0000dead;
const keySlotCount = 8;
const textLength = 32;
const uuidLength = 40;

/**
 * The header at the start of `bytes`. `name` is what errors call the disk.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for a version that is not 1
 */
export function decodeLuks1Header(bytes: Uint8Array, name: string): Luks1Header {
  const reader = new ByteReader(bytes, `LUKS header of ${name}`);
  if (Buffer.compare(reader.bytes(magic.length), magic) !== 0) {
    throw new VarveError('CORRUPT', `cannot read ${name}: its LUKS header does not start with the magic of LUKS`);
  }
  const version = reader.u16be();
  if (version !== 1) throw new VarveError('UNSUPPORTED', `cannot open ${name}: its LUKS version is ${version}, not 1`);
  return {
    cipherName: textOf(reader, textLength),
    cipherMode: textOf(reader, textLength),
    hashSpec: textOf(reader, textLength),
    payloadOffset: reader.u32be(),
    keyBytes: reader.u32be(),
    digest: reader.bytes(20).slice(),
    digestSalt: reader.bytes(32).slice(),
    digestIterations: reader.u32be(),
    uuid: textOf(reader, uuidLength),
    keySlots: Array.from({ length: keySlotCount }, (_, index) => decodeKeySlot(reader, index, name)),
  };
}

function decodeKeySlot(reader: ByteReader, index: number, name: string): LuksKeySlot {
  const mark = reader.u32be();
  if (mark !== activeMark && mark !== inactiveMark) {
    throw new VarveError(
      'CORRUPT',
      `cannot read ${name}: LUKS key slot ${index} says neither that it is active nor not`,
    );
  }
  return {
    active: mark === activeMark,
    iterations: reader.u32be(),
    salt: reader.bytes(32).slice(),
    keyMaterialOffset: reader.u32be(),
    stripes: reader.u32be(),
  };
}

function textOf(reader: ByteReader, length: number): string {
  return new TextDecoder('latin1').decode(reader.bytes(length)).replace(/\0.*$/s, '');
}

/** The header's bytes; texts that do not fit are cut. */
export function encodeLuks1Header(header: Luks1Header): Uint8Array {
  const writer = new ByteWriter(luks1HeaderLength);
  writer.put(magic);
  writer.u16be(1);
  for (const text of [header.cipherName, header.cipherMode, header.hashSpec]) putText(writer, text, textLength);
  writer.u32be(header.payloadOffset);
  writer.u32be(header.keyBytes);
  writer.put(header.digest);
  writer.put(header.digestSalt);
  writer.u32be(header.digestIterations);
  putText(writer, header.uuid, uuidLength);
  for (const slot of header.keySlots) {
    writer.u32be(slot.active ? activeMark : inactiveMark);
    writer.u32be(slot.iterations);
    writer.put(slot.salt);
    writer.u32be(slot.keyMaterialOffset);
    writer.u32be(slot.stripes);
  }
  return writer.bytes;
}

function putText(writer: ByteWriter, text: string, length: number): void {
  const end = writer.position + length;
  writer.put(Buffer.from(text, 'latin1').subarray(0, length - 1));
  writer.seek(end);
}
