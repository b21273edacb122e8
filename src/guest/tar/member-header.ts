/*
 * A member of an archive that tar(1) of GNU and libarchive read with everything that Linux keeps of a file. What a header
 * has no room for stands in attributes before it (`x`):
 *
 *   path, linkpath, size, uid, gid     as they are
 *   mtime, atime                       seconds with a fraction
 *   SCHILY.xattr.NAME                  an extended attribute; `%` and `=` in its name as %25 and %3D
 *   SCHILY.acl.access, …default        access control lists, as text with numbers
 *   RHT.security.selinux               SELinux's context
 *   GNU.sparse.major=1, minor=0,       a file without its holes (see tar-sparse.ts)
 *   GNU.sparse.name, …realsize
 *
 * Source: POSIX.1-2017, pax; GNU tar manual, "Storing Sparse Files" and "Extended Attributes"; star(5), "SCHILY.xattr",
 * "SCHILY.acl".
 */
import type { FileKind, FileStat, Timestamp } from '../../filesystem/file-system.ts';
import { encodePaxAttributes } from '../../format/pax-attributes.ts';
import { encodeTarHeader, fitsTarNumber, splitTarName, tarBlockSize, tarNameLength } from '../../format/tar-header.ts';
import { aclText } from '../acl-text.ts';

/** A member that is to be written. */
export interface TarMember {
  /** `./etc/fstab` */
  readonly name: Uint8Array;
  readonly stat: FileStat;
  /** What a symlink leads to, or under which name the same file is in the archive already. */
  readonly link?: { readonly kind: 'symlink' | 'hard'; readonly target: Uint8Array } | undefined;
  readonly attributes: ReadonlyMap<string, Uint8Array>;
  /** How many bytes follow. */
  readonly storedLength: number;
  readonly isSparse: boolean;
}

type Attribute = readonly [key: string, value: string | Uint8Array];

const typeflags: Readonly<Record<Exclude<FileKind, 'socket'>, string>> = {
  file: '0',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

/** The blocks that stand before a member's content. */
export function memberHeader(member: TarMember): Uint8Array {
  const { link, name, stat, storedLength } = member;
  const attributes = attributesOf(member);
  const stored = splitTarName(member.isSparse ? sparseName(name) : name) ?? { name: lastName(name) };
  const header = encodeTarHeader({
    ...{ ...stored, ...fitting(stat), mode: stat.mode, size: fitsTarNumber(storedLength, 12) ? storedLength : 0 },
    typeflag: link?.kind === 'hard' ? '1' : typeflags[stat.kind as keyof typeof typeflags],
    linkname: link?.target.subarray(0, tarNameLength),
    device: link === undefined ? stat.device : undefined,
  });
  if (attributes.length === 0) return header;
  return Buffer.concat([...attributeBlocks(attributes, name, stat), header]);
}

function attributeBlocks(attributes: readonly Attribute[], name: Uint8Array, stat: FileStat): Uint8Array[] {
  const content = encodePaxAttributes(attributes);
  const padding = new Uint8Array((tarBlockSize - (content.length % tarBlockSize)) % tarBlockSize);
  const header = encodeTarHeader({
    name: Buffer.concat([Buffer.from('PaxHeaders/'), lastName(name).subarray(0, 80)]),
    ...{ mode: 0o644, uid: 0, gid: 0, size: content.length, mtime: fitting(stat).mtime, typeflag: 'x' },
  });
  return [header, content, padding];
}

function attributesOf(member: TarMember): Attribute[] {
  const { isSparse, link, name, stat, storedLength } = member;
  const attributes: Attribute[] = [];
  if (isSparse) {
    attributes.push(['GNU.sparse.major', '1'], ['GNU.sparse.minor', '0'], ['GNU.sparse.name', name]);
    attributes.push(['GNU.sparse.realsize', String(stat.size)]);
  } else if (splitTarName(name) === undefined) attributes.push(['path', name]);
  if (link !== undefined && link.target.length > tarNameLength) attributes.push(['linkpath', link.target]);
  if (!fitsTarNumber(storedLength, 12)) attributes.push(['size', String(storedLength)]);
  if (!fitsTarNumber(stat.uid, 8)) attributes.push(['uid', String(stat.uid)]);
  if (!fitsTarNumber(stat.gid, 8)) attributes.push(['gid', String(stat.gid)]);
  const { accessed, modified } = stat;
  if (modified !== undefined && !isWholeTime(modified)) attributes.push(['mtime', timeOf(modified)]);
  if (accessed !== undefined) attributes.push(['atime', timeOf(accessed)]);
  for (const [key, value] of member.attributes) attributes.push(...extendedAttribute(key, value));
  return attributes;
}

function extendedAttribute(name: string, value: Uint8Array): Attribute[] {
  const list = /^system\.posix_acl_(access|default)$/.exec(name)?.[1];
  const text = list === undefined ? undefined : aclText(value);
  if (list !== undefined) return text === undefined ? [] : [[`SCHILY.acl.${list}`, text]];
  if (name === 'security.selinux') {
    const end = value.indexOf(0);
    return [['RHT.security.selinux', end < 0 ? value : value.subarray(0, end)]];
  }
  return [[`SCHILY.xattr.${name.replaceAll('%', '%25').replaceAll('=', '%3D')}`, value]];
}

/** What of a file fits a header; 0 where an attribute says it. */
function fitting({ gid, modified, uid }: FileStat): { uid: number; gid: number; mtime: number } {
  const seconds = modified?.seconds ?? 0;
  return {
    uid: fitsTarNumber(uid, 8) ? uid : 0,
    gid: fitsTarNumber(gid, 8) ? gid : 0,
    mtime: fitsTarNumber(seconds, 12) ? seconds : 0,
  };
}

function isWholeTime({ nanoseconds, seconds }: Timestamp): boolean {
  return nanoseconds === 0 && fitsTarNumber(seconds, 12);
}

/** Seconds with a fraction: 1.5 seconds before 1970 are −2 and 500,000,000 nanoseconds, and `-1.500000000`. */
function timeOf({ nanoseconds, seconds }: Timestamp): string {
  if (nanoseconds === 0) return String(seconds);
  const digits = (count: number) => String(count).padStart(9, '0');
  if (seconds >= 0) return `${seconds}.${digits(nanoseconds)}`;
  return `-${-seconds - 1}.${digits(1_000_000_000 - nanoseconds)}`;
}

/** Under what name those find a sparse file that do not know of any. */
function sparseName(name: Uint8Array): Uint8Array {
  const slash = name.lastIndexOf(0x2f);
  return Buffer.concat([name.subarray(0, slash + 1), Buffer.from('GNUSparseFile.0/'), name.subarray(slash + 1)]);
}

/** What a header shows of a name that it has no room for. */
function lastName(name: Uint8Array): Uint8Array {
  const end = name.at(-1) === 0x2f ? name.length - 1 : name.length;
  const slash = name.subarray(0, end).lastIndexOf(0x2f);
  return name.subarray(slash + 1, end).subarray(0, tarNameLength);
}
