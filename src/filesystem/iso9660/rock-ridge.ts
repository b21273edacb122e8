/*
 * The fields of Rock Ridge, without their first 4 bytes; numbers are 32 bits, first little-endian, then big-endian:
 *
 *   PX   0  mode, 8  links, 16  uid, 24  gid; since 1.12 also 32  serial number of the file
 *   PN   0  the upper, 8  the lower 32 bits of a device's number
 *   SL   0  flags: 1 goes on in the next SL; then components: flags (1 goes on in the next component, 2 `.`, 4 `..`,
 *           8 `/`), length, text
 *   NM   0  flags: 1 goes on in the next NM, 2 `.`, 4 `..`; then the name
 *   CL   0  block of a directory that was moved from here       RE  this directory was moved here
 *   TF   0  flags: 1 made, 2 modified, 4 accessed, 8 changed, 128 times of 17 bytes; else of 7; then the times
 *   ZF   0  "pz", 2  header length in words, 3  log2 of the block size, 4  size when unpacked
 *   SF   a sparse file
 *
 * Source: IEEE P1282, Rock Ridge Interchange Protocol 1.12, section 4.1; ZF: libisofs, doc/zisofs_format.txt.
 */
import type { FileStat } from '../file-system.ts';
import { deviceOfNumber, kindOfMode } from '../linux-inode.ts';
import { decodeLongTime, decodeShortTime } from './directory-record.ts';
import type { SystemUseField } from './system-use.ts';

const goesOn = 1;
const timesFlags = { long: 0x80, times: { created: 1, modified: 2, accessed: 4, changed: 8 } } as const;

/** What Rock Ridge says of a file; what it does not say is left out. */
export interface RockRidge {
  readonly name: Uint8Array | undefined;
  readonly stat: Partial<Pick<FileStat, 'kind' | 'mode' | 'links' | 'uid' | 'gid' | 'device'>> & Times;
  /** The file's number, for those with several names. */
  readonly serial: number | undefined;
  readonly target: Uint8Array | undefined;
  /** The block of the directory that was moved from here. */
  readonly movedTo: number | undefined;
  readonly wasMovedHere: boolean;
  /** How its content is packed: it is not read. */
  readonly packing: 'zisofs' | 'Rock Ridge’s sparse files' | undefined;
  /** What it has when it is unpacked, in bytes. */
  readonly unpackedSize: number | undefined;
}

type Times = Partial<Pick<FileStat, 'accessed' | 'modified' | 'changed' | 'created'>>;

/** Whether fields of the root's own record tell of Rock Ridge. */
export function isRockRidge(fields: readonly SystemUseField[]): boolean {
  return fields.some(({ signature }) => signature === 'PX' || signature === 'RR');
}

/** Takes the fields of a record apart. */
export function decodeRockRidge(fields: readonly SystemUseField[]): RockRidge {
  const field = (signature: string) => fields.find((one) => one.signature === signature)?.data;
  const permissions = field('PX');
  const zisofs = field('ZF');
  const moved = field('CL');
  return {
    name: nameOf(fields),
    stat: { ...permissionsOf(permissions), ...deviceOf(field('PN')), ...timesOf(fields) },
    serial: permissions !== undefined && permissions.length >= 40 ? number(permissions, 32) : undefined,
    target: targetOf(fields),
    movedTo: moved !== undefined && moved.length >= 4 ? number(moved, 0) : undefined,
    wasMovedHere: field('RE') !== undefined,
    packing: zisofs !== undefined ? 'zisofs' : field('SF') !== undefined ? 'Rock Ridge’s sparse files' : undefined,
    unpackedSize: zisofs !== undefined && zisofs.length >= 8 ? number(zisofs, 4) : undefined,
  };
}

function permissionsOf(data: Uint8Array | undefined): RockRidge['stat'] {
  if (data === undefined || data.length < 32) return {};
  const mode = number(data, 0);
  const kind = kindOfMode(mode);
  const owners = { links: number(data, 8), uid: number(data, 16), gid: number(data, 24) };
  return { mode: mode & 0o7777, ...owners, ...(kind !== undefined && { kind }) };
}

/**
 * Some programs keep the major number in the upper half and the minor one in the lower, others all of Linux's own number
 * in the lower.
 */
function deviceOf(data: Uint8Array | undefined): Pick<RockRidge['stat'], 'device'> {
  if (data === undefined || data.length < 12) return {};
  const [high, low] = [number(data, 0), number(data, 8)];
  const isSplit = high !== 0 || low <= 0xff;
  if (isSplit) return { device: { major: high, minor: low } };
  return { device: deviceOfNumber(low) };
}

function timesOf(fields: readonly SystemUseField[]): Times {
  const times: { -readonly [Key in keyof Times]: Times[Key] } = {};
  for (const { signature, data } of fields) {
    if (signature !== 'TF' || data.length === 0) continue;
    const isLong = (data[0]! & timesFlags.long) !== 0;
    const length = isLong ? 17 : 7;
    let offset = 1;
    for (const [key, flag] of Object.entries(timesFlags.times)) {
      if ((data[0]! & flag) === 0 || offset + length > data.length) continue;
      const bytes = data.subarray(offset, offset + length);
      times[key as keyof Times] = isLong ? decodeLongTime(bytes) : decodeShortTime(bytes);
      offset += length;
    }
  }
  return times;
}

function nameOf(fields: readonly SystemUseField[]): Uint8Array | undefined {
  const parts: number[] = [];
  for (const { signature, data } of fields) {
    if (signature !== 'NM' || data.length === 0) continue;
    parts.push(...data.subarray(1));
    if ((data[0]! & goesOn) === 0) break;
  }
  return parts.length === 0 ? undefined : Uint8Array.from(parts);
}

function targetOf(fields: readonly SystemUseField[]): Uint8Array | undefined {
  const links = fields.filter(({ signature, data }) => signature === 'SL' && data.length > 0);
  if (links.length === 0) return undefined;
  const bytes: number[] = [];
  let needsSlash = false;
  for (const { data } of links) {
    for (let offset = 1; offset + 2 <= data.length; offset += 2 + data[offset + 1]!) {
      const flags = data[offset]!;
      if (needsSlash) bytes.push(0x2f);
      bytes.push(...componentOf(flags, data.subarray(offset + 2, offset + 2 + data[offset + 1]!)));
      needsSlash = (flags & (goesOn | 8)) === 0;
    }
    if ((data[0]! & goesOn) === 0) break;
  }
  return Uint8Array.from(bytes);
}

function componentOf(flags: number, text: Uint8Array): Iterable<number> {
  if ((flags & 8) !== 0) return [0x2f];
  if ((flags & 4) !== 0) return [0x2e, 0x2e];
  return (flags & 2) !== 0 ? [0x2e] : text;
}

function number(data: Uint8Array, offset: number): number {
  return new DataView(data.buffer, data.byteOffset, data.length).getUint32(offset, true);
}
