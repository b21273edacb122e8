/*
 * A directory record; numbers are there twice, first little-endian. Records do not go over the end of a block: a length of
 * 0 stands for the rest of it.
 *
 *   byte  0  length                              25  flags
 *         1  blocks of an attribute record       26  file unit size, 0 where a file is not interleaved
 *         2  first block (32 bit)                28  volume sequence number (16 bit)
 *        10  data length (32 bit)                32  length of the name
 *        18  date and time, 7 bytes              33  name, padded to an even place; then the system use area
 *
 * A time: years from 1900, month, day, hour, minute, second, and quarters of an hour from UTC (signed).
 *
 * Source: ECMA-119, section 9.1.
 */
import type { Timestamp } from '../file-system.ts';

/** The shortest record there is, in bytes: the name has one. */
const shortestRecord = 34;

/** Bits of `flags`: an associated file is part of another one, and `multiExtent` says that the next record goes on. */
export const recordFlags = { directory: 2, associated: 4, multiExtent: 0x80 } as const;

/** A directory record. */
export interface DirectoryRecord {
  /** Where it begins on the device, in bytes. */
  readonly place: number;
  readonly length: number;
  /** The first block of what it stands for, behind an attribute record. */
  readonly block: number;
  /** In bytes. */
  readonly dataLength: number;
  readonly time: Timestamp | undefined;
  readonly flags: number;
  readonly isInterleaved: boolean;
  readonly name: Uint8Array;
  readonly systemUse: Uint8Array;
}

/** The record at the start of `bytes`, or what is wrong with it; `place` is where that is on the device. */
export function decodeRecord(bytes: Uint8Array, place: number): DirectoryRecord | string {
  const length = bytes[0]!;
  if (length < shortestRecord || length > bytes.length) return `has ${length} bytes`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  const nameEnd = 33 + bytes[32]!;
  if (nameEnd > length || nameEnd === 33) return `has a name of ${bytes[32]} bytes`;
  return {
    ...{ place, length, flags: bytes[25]!, isInterleaved: bytes[26] !== 0 },
    block: view.getUint32(2, true) + bytes[1]!,
    dataLength: view.getUint32(10, true),
    time: decodeShortTime(bytes.subarray(18, 25)),
    name: bytes.subarray(33, nameEnd),
    systemUse: bytes.subarray(Math.min(length, nameEnd + (nameEnd % 2)), length),
  };
}

/** Whether a record stands for its own directory, or for the one above it. */
export function isDots({ name }: DirectoryRecord): boolean {
  return name.length === 1 && name[0]! <= 1;
}

/** The moment that 7 bytes stand for; undefined where they are 0. */
export function decodeShortTime(bytes: Uint8Array): Timestamp | undefined {
  const [year, month, day, hour, minute, second, zone] = bytes as unknown as [number, ...number[]];
  if (month === 0) return undefined;
  const local = Date.UTC(1900 + year, month! - 1, day, hour, minute, second) / 1000;
  return { seconds: local - inQuarters(zone!) * 900, nanoseconds: 0 };
}

/** The moment that 16 digits and a byte stand for. Source: ECMA-119, section 8.4.26.1. */
export function decodeLongTime(bytes: Uint8Array): Timestamp | undefined {
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, 16));
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts[1] === 0) return undefined;
  const [year, month, day, hour, minute, second, hundredths] = parts as [number, ...number[]];
  const local = Date.UTC(year, month! - 1, day, hour, minute, second) / 1000;
  return { seconds: local - inQuarters(bytes[16]!) * 900, nanoseconds: hundredths! * 10_000_000 };
}

function inQuarters(zone: number): number {
  return zone < 128 ? zone : zone - 256;
}
