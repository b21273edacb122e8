/*
 * $REPARSE_POINT, little-endian: what else a file is.
 *
 *   byte 0–3 tag    4–5 length of what follows byte 8    8– by tag:
 *
 *   a000000c  symbolic link     8–9 where the target is, and 10–11 its length, bytes; 12–15 the same of what is shown;
 *                               16–19 1 where it is relative; from 20 on the names, in UTF-16
 *   a0000003  junction          the same without 16–19; the names from 16 on
 *   a000001d  Linux's symlink   8–11 2, then the target in UTF-8
 *   80000023 to 80000026        Linux's socket, FIFO, character and block device
 *   80000013  deduplicated; 80000017 compressed by the Windows Overlay Filter (overlay/)
 *
 * Source: Microsoft, MS-FSCC, sections 2.1.2.1 to 2.1.2.5; Windows Subsystem for Linux, documentation of file permissions.
 */
import type { FileKind } from '../file-system.ts';

/** The longest that a reparse point may be, in bytes. */
export const longestReparsePoint = 16_384;

/** Tags that stand for what is not here, and what those are called. */
const unreadable: Readonly<Record<number, string>> = {
  2147483667: 'deduplicated by Windows Server',
};

const linuxKinds: Readonly<Record<number, FileKind>> = {
  2147483683: 'socket',
  2147483684: 'fifo',
  2147483685: 'character',
  2147483686: 'block',
};

const symbolicLink = 0xa000_000c;
const junction = 0xa000_0003;
const linuxSymlink = 0xa000_001d;
const overlayTag = 0x8000_0017;

/** What a reparse point makes of a file. */
export interface ReparsePoint {
  /** Where it makes another kind of it. */
  readonly kind?: FileKind;
  /** A symlink's. */
  readonly target?: Uint8Array;
  /** The whole of it, where the Windows Overlay Filter compressed the file. */
  readonly overlay?: Uint8Array;
  /** Why its content cannot be read. */
  readonly unreadable?: string | undefined;
}

/** What these bytes make of a file, or what is wrong with them. */
export function decodeReparsePoint(bytes: Uint8Array): ReparsePoint | string {
  if (bytes.length < 8) return 'is too short';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const tag = view.getUint32(0, true);
  const kind = linuxKinds[tag];
  if (kind !== undefined) return { kind };
  if (tag === overlayTag) return { overlay: bytes };
  if (tag !== symbolicLink && tag !== junction && tag !== linuxSymlink) return { unreadable: unreadable[tag] };
  const target = tag === linuxSymlink ? linuxTarget(bytes) : windowsTarget(bytes, tag === symbolicLink ? 20 : 16);
  return target === undefined ? 'has a target past its end' : { kind: 'symlink', target };
}

function linuxTarget(bytes: Uint8Array): Uint8Array | undefined {
  return bytes.length > 12 ? bytes.slice(12) : undefined;
}

function windowsTarget(bytes: Uint8Array, names: number): Uint8Array | undefined {
  if (bytes.length < names) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const start = names + view.getUint16(8, true);
  const length = view.getUint16(10, true);
  if (start + length > bytes.length || length === 0) return undefined;
  const text = new TextDecoder('utf-16le').decode(bytes.subarray(start, start + length));
  return new TextEncoder().encode(pathOf(text));
}

/** A path of Windows as one of this file system: `\??\C:\Users` is `/Users`. */
function pathOf(target: string): string {
  const withoutPrefix = target.replace(/\0.*$/s, '').replace(/^\\\?\?\\/, '\\');
  const withoutDrive = withoutPrefix.replace(/^\\?[A-Za-z]:(?=\\|$)/, '');
  const path = withoutDrive.replaceAll('\\', '/');
  if (path === '' || path === '/') return '/';
  return path.replace(/\/+$/, '');
}
