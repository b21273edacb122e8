/*
 * The header of LUKS version 2, which a device has twice: at its start, and right behind that, so at one of 16 KiB, 32 KiB …
 * 4 MiB. Each is a binary part of 4096 bytes, big-endian, with texts padded with zeros, and behind it one of JSON:
 *
 *   byte    0–5   magic "LUKS\xba\xbe", of the second one "SKUL\xba\xbe"
 *           6–7   version, 2                      104–167  salt
 *           8–15  hdr_size, with the JSON         168–207  uuid
 *          16–23  seqid, counts up                208–255  subsystem
 *          24–71  label                           256–263  hdr_offset, where this one stands
 *          72–103 csum_alg: sha256                448–511  csum, of all hdr_size bytes with this as zeros
 *
 * Source: LUKS2 On-Disk Format Specification, version 1.1.3, sections 2.1 and 2.2.
 */
import { createHash } from 'node:crypto';
import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { ByteReader } from '../bytes/byte-reader.ts';

/** What the binary part says, and the text of the JSON. */
export interface Luks2Header {
  readonly seqid: number;
  readonly uuid: string;
  /** Both parts of one copy, in bytes. */
  readonly size: number;
  readonly json: string;
}

const binaryLength = 4096;
const firstMagic = 'LUKS\xba\xbe';
const secondMagic = 'SKUL\xba\xbe';
/** In which a copy may come. */
const sizes = Array.from({ length: 9 }, (_, power) => 2 ** (14 + power));
const knownHashes: ReadonlyMap<string, number> = new Map([
  ['sha1', 20],
  ['sha256', 32],
  ['sha512', 64],
]);
const sumPlace = 448;
const sumLength = 64;

/**
 * The header of a device: the newer of its copies that are whole.
 *
 * @throws VarveError `CORRUPT` where none is
 */
export async function readLuks2Header(device: BlockDevice, name: string): Promise<Luks2Header> {
  const first = await readCopy(device, 0, firstMagic, name);
  // Where the first one can be read, it says where the second one is; else that may be anywhere.
  const places = typeof first === 'string' ? sizes : [first.size];
  let best = typeof first === 'string' ? undefined : first;
  for (const place of places) {
    const second = await readCopy(device, place, secondMagic, name);
    if (typeof second !== 'string' && (best === undefined || second.seqid > best.seqid)) best = second;
  }
  if (best !== undefined) return best;
  throw new VarveError('CORRUPT', `cannot read ${name}: no copy of its LUKS header is good: ${first}`);
}

/** A copy, or why it counts for nothing. */
async function readCopy(
  device: BlockDevice,
  offset: number,
  magic: string,
  name: string,
): Promise<Luks2Header | string> {
  if (offset + binaryLength > device.size) return 'it is past the end';
  const binary = new Uint8Array(binaryLength);
  await device.read(binary, offset);
  const reader = new ByteReader(binary, `LUKS header of ${name}`);
  if (textOf(reader, magic.length) !== magic) return 'it does not start with the magic of LUKS';
  const version = reader.u16be();
  if (version !== 2) return `its version is ${version}`;
  const size = Number(reader.opaque64be());
  if (!sizes.includes(size) || offset + size > device.size) return `its length is ${size} bytes`;
  const seqid = Number(reader.opaque64be());
  reader.skip(48);
  const algorithm = zeroEnded(textOf(reader, 32));
  reader.skip(64);
  const uuid = zeroEnded(textOf(reader, 40));
  reader.skip(48);
  if (Number(reader.opaque64be()) !== offset) return 'it belongs to another place';
  const digestLength = knownHashes.get(algorithm);
  if (digestLength === undefined) return `its checksum is ${JSON.stringify(algorithm)}, which is not known`;
  const sum = binary.slice(sumPlace, sumPlace + digestLength);
  const text = new Uint8Array(size - binaryLength);
  await device.read(text, offset + binaryLength);
  binary.fill(0, sumPlace, sumPlace + sumLength);
  const found = createHash(algorithm).update(binary).update(text).digest();
  if (!found.equals(sum)) return 'its checksum is wrong';
  const end = text.indexOf(0);
  return {
    seqid,
    uuid,
    size,
    json: new TextDecoder().decode(text.subarray(0, end < 0 ? size : end)),
  };
}

function textOf(reader: ByteReader, length: number): string {
  return Buffer.from(reader.bytes(length)).toString('latin1');
}

function zeroEnded(text: string): string {
  return text.replace(/\0.*$/s, '');
}
