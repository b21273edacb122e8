import { ByteWriter } from '../../bytes/byte-writer.ts';

/*
 * What INQUIRY tells. Source: SPC-4, sections 6.6.2 (standard data) and 7.8 (vital product data); SBC-3, section 6.6.
 *
 *   standard: 0 peripheral, 2 version, 3 response format, 4 length of the rest, 7 command queuing,
 *             8 vendor (8), 16 product (16), 32 revision (4), 58 version descriptors
 *   a page:   0 peripheral, 1 page code, 2 length of the rest (2 bytes), 4 …
 */

/** What a disk tells of itself. Sizes in bytes. */
export interface DiskIdentity {
  /** The target's name, by which the disk is known. */
  readonly name: string;
  /** 16 hexadecimal digits, the same whenever the disk is served. */
  readonly serial: string;
  readonly blockSize: number;
  /** What it likes to be asked for, a power of two, at least a block. */
  readonly granularity: number;
  readonly maximumTransfer: number;
  /** Whether blocks can be unmapped. */
  readonly isThin: boolean;
}

const vendor = 'VARVE   ';
const standardLength = 96;
/** SAM-5, iSCSI, SPC-4 and SBC-3, without a revision. Source: SPC-4, table 142. */
const versionDescriptors = [0x00a0, 0x0960, 0x0460, 0x04c0];
/** Peripheral qualifier 3: there is no disk of this number. */
const noPeripheral = 0x7f;

/** The standard data; of a logical unit that does not exist without `isThere`. */
export function encodeStandardInquiry(isThere: boolean): Uint8Array {
  const writer = new ByteWriter(standardLength);
  writer.u8(isThere ? 0 : noPeripheral);
  writer.u8(0);
  writer.u8(6); // SPC-4
  writer.u8(0x12); // HISUP, response data format 2
  writer.u8(standardLength - 5);
  writer.skip(2);
  writer.u8(0x02); // CMDQUE
  writer.utf8(`${vendor}${'Virtual disk'.padEnd(16)}0001`);
  writer.seek(58);
  for (const descriptor of versionDescriptors) writer.u16be(descriptor);
  return writer.bytes;
}

const pageEncoders: Readonly<Record<number, (disk: DiskIdentity) => Uint8Array>> = {
  0: () => Uint8Array.from(Object.keys(pageEncoders), Number),
  128: ({ serial }) => Buffer.from(serial, 'latin1'),
  131: encodeDesignators,
  134: encodeExtended,
  176: encodeLimits,
  177: encodeCharacteristics,
  178: encodeProvisioning,
};

/** A page of vital product data; `undefined` for one that there is not. */
export function encodeVitalPage(page: number, disk: DiskIdentity): Uint8Array | undefined {
  const content = pageEncoders[page]?.(disk);
  if (content === undefined) return undefined;
  const writer = new ByteWriter(4 + content.length);
  writer.u8(0);
  writer.u8(page);
  writer.u16be(content.length);
  writer.put(content);
  return writer.bytes;
}

/** NAA (locally assigned), T10 vendor identification, relative target port, SCSI name of the port. */
function encodeDesignators({ name, serial }: DiskIdentity): Uint8Array {
  const portName = Buffer.from(`${name},t,0x0001\0`);
  const padded = Buffer.concat([portName, Buffer.alloc(-portName.length & 3)]);
  return Buffer.concat([
    designator(0x01, 0x03, Buffer.from(`3${serial.slice(1)}`, 'hex')),
    designator(0x02, 0x01, Buffer.from(vendor + serial)),
    designator(0x51, 0x94, Uint8Array.of(0, 0, 0, 1)),
    designator(0x53, 0x98, padded),
  ]);
}

function designator(protocolAndSet: number, kind: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(protocolAndSet, kind, 0, content.length), content]);
}

/** SIMPSUP, V_SUP. Commands are done side by side whatever order they ask for, so neither ORDSUP nor HEADSUP. */
function encodeExtended(): Uint8Array {
  const bytes = new Uint8Array(0x3c);
  bytes[1] = 0x01;
  bytes[2] = 0x01;
  return bytes;
}

/** The longest list of UNMAP. */
export const maximumUnmapDescriptors = 256;
/** The most that one UNMAP unmaps, or a VERIFY looks at, in bytes. */
export const maximumUnmapLength = 2 ** 29;
/** The field of COMPARE AND WRITE has no room for more, in blocks. */
const maximumCompareBlocks = 255;

function encodeLimits({ blockSize, granularity, isThin, maximumTransfer }: DiskIdentity): Uint8Array {
  const writer = new ByteWriter(0x3c);
  writer.u8(0);
  writer.u8(maximumCompareBlocks);
  writer.u16be(Math.min(granularity / blockSize, 0xffff));
  writer.u32be(maximumTransfer / blockSize);
  writer.u32be(Math.max(Math.min(2 ** 20, maximumTransfer), granularity) / blockSize);
  writer.u32be(0);
  writer.u32be(isThin ? maximumUnmapLength / blockSize : 0);
  writer.u32be(isThin ? maximumUnmapDescriptors : 0);
  writer.u32be(isThin ? granularity / blockSize : 0);
  writer.u32be(isThin ? 0x8000_0000 : 0);
  writer.u64be(maximumTransfer / blockSize);
  return writer.bytes;
}

/** It does not rotate. */
function encodeCharacteristics(): Uint8Array {
  const bytes = new Uint8Array(0x3c);
  bytes[1] = 1;
  return bytes;
}

/** LBPU, LBPWS, LBPWS10 and LBPRZ; thin provisioned. */
function encodeProvisioning({ isThin }: DiskIdentity): Uint8Array {
  return Uint8Array.of(0, isThin ? 0xe4 : 0, isThin ? 2 : 0, 0);
}
