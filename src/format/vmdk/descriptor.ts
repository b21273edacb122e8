/*
 * The descriptor of a disk: lines of text, in a file of its own or inside a sparse extent.
 *
 *   # Disk DescriptorFile              a comment, by which people know it
 *   version=1
 *   CID=fffffffe                       content id, changed by whoever writes to the disk first after opening it
 *   parentCID=ffffffff                 that of the disk it builds on; all ones for none
 *   parentFileNameHint="base.vmdk"
 *   createType="twoGbMaxExtentSparse"
 *   RW 4192256 SPARSE "a-s001.vmdk"    extents in the disk's order: access, sectors, type, file, offset in sectors
 *   ddb.adapterType = "lsilogic"       the disk data base
 *
 * Source: VMware, Virtual Disk Format 5.0, section "The Descriptor File".
 */
import { corruptImage } from '../image-errors.ts';
import { sectorSize } from './sparse-layout.ts';

/** A descriptor longer than this is refused; in bytes. */
export const maximumDescriptorLength = 2 ** 20;
/** No disk has that many, and each may be an open file. */
const maximumExtentCount = 4096;
const maximumLineLength = 4096;
const noParent = 0xffff_ffff;

/** An extent as the descriptor names it. */
export interface DescribedExtent {
  /** `RW`, `RDONLY`, `NOACCESS`. */
  readonly access: string;
  /** Of the disk, in bytes. */
  readonly size: number;
  /** `FLAT`, `SPARSE`, `ZERO`, `VMFS`, `VMFSSPARSE`, … */
  readonly type: string;
  /** The name of its file; undefined where it has none. */
  readonly fileName: string | undefined;
  /** Where it starts in its file, in bytes. */
  readonly offset: number;
}

/** What a descriptor says. */
export interface Descriptor {
  readonly contentId: number;
  readonly createType: string;
  /** The disk it builds on. */
  readonly parent: { readonly contentId: number; readonly fileName: string } | undefined;
  readonly extents: readonly DescribedExtent[];
}

/** Whether text starts as a descriptor does: comments, then its version. */
export function looksLikeDescriptor(head: Uint8Array): boolean {
  for (const line of linesOf(new TextDecoder('latin1').decode(head.subarray(0, maximumLineLength)))) {
    if (line === '' || line.startsWith('#')) continue;
    return /^version\s*=\s*[123]$/i.test(line);
  }
  return false;
}

/**
 * The descriptor in `bytes`, up to the first zero byte.
 *
 * @throws VarveError `CORRUPT`
 */
export function decodeDescriptor(bytes: Uint8Array, name: string): Descriptor {
  if (!looksLikeDescriptor(bytes)) throw corruptImage(name, 'its descriptor does not start with its version');
  const values = new Map<string, string>();
  const extents: DescribedExtent[] = [];
  for (const line of linesOf(textOf(bytes))) {
    if (line.startsWith('#') || line.length > maximumLineLength) continue;
    const extent = decodeExtent(line, name);
    if (extent !== undefined) extents.push(extent);
    else addValue(values, line);
  }
  if (extents.length > maximumExtentCount) {
    throw corruptImage(name, `its descriptor has ${extents.length} extents, and may have ${maximumExtentCount}`);
  }
  const contentId = decodeContentId(values.get('cid'), 'CID', name);
  return { contentId, createType: values.get('createtype') ?? '', parent: decodeParent(values, name), extents };
}

function decodeParent(values: ReadonlyMap<string, string>, name: string): Descriptor['parent'] {
  const contentId = decodeContentId(values.get('parentcid') ?? 'ffffffff', 'parentCID', name);
  if (contentId === noParent) return undefined;
  const fileName = values.get('parentfilenamehint');
  if (fileName) return { contentId, fileName };
  throw corruptImage(name, 'its descriptor has a parentCID, and no parentFileNameHint that says which disk that is');
}

function decodeContentId(text: string | undefined, field: string, name: string): number {
  if (text !== undefined && /^[0-9a-f]{1,8}$/i.test(text)) return Number.parseInt(text, 16);
  throw corruptImage(name, `its descriptor has no ${field} of up to 8 hexadecimal digits`);
}

/** A content id as descriptors have it: 8 hexadecimal digits. */
export function contentIdText(contentId: number): string {
  return contentId.toString(16).padStart(8, '0');
}

const extentLine = /^(RW|RDONLY|NOACCESS)\s+(\d{1,19})\s+([A-Z0-9]+)(?:\s+"([^"]*)")?(?:\s+(\d{1,19}))?/i;

function decodeExtent(line: string, name: string): DescribedExtent | undefined {
  const [, access, sectors, type, fileName, offset = '0'] = extentLine.exec(line) ?? [];
  if (access === undefined || type === undefined) return undefined;
  const [size, start] = [Number(sectors) * sectorSize, Number(offset) * sectorSize];
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(start)) {
    throw corruptImage(name, `its descriptor has an extent of ${sectors} sectors at sector ${offset}`);
  }
  return { access: access.toUpperCase(), size, type: type.toUpperCase(), fileName, offset: start };
}

function addValue(values: Map<string, string>, line: string): void {
  const sign = line.indexOf('=');
  if (sign <= 0) return;
  const key = line.slice(0, sign).trim().toLowerCase();
  const value = line.slice(sign + 1).trim();
  const isQuoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"');
  if (!values.has(key)) values.set(key, isQuoted ? value.slice(1, -1) : value);
}

function linesOf(text: string): string[] {
  return text.split('\n').map((line) => line.trim());
}

/** The text up to the first zero byte, in the encoding that it says itself; UTF-8 where that is none. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const content = end === -1 ? bytes : bytes.subarray(0, end);
  const utf8 = new TextDecoder().decode(content);
  const encoding = /^\s*encoding\s*=\s*"([\w.:-]{1,40})"/im.exec(utf8)?.[1];
  if (encoding === undefined) return utf8;
  try {
    return new TextDecoder(encoding).decode(content);
  } catch {
    return utf8;
  }
}

/** What a descriptor of a whole disk in one sparse extent says. */
export interface NewDescriptor {
  readonly contentId: number;
  readonly createType: string;
  /** The name of the file that it is going to stand in; some programs look there, and not where they found it. */
  readonly fileName: string | undefined;
  /** Of the disk. */
  readonly sectorCount: number;
  readonly adapterType: string;
  readonly geometry: { readonly cylinders: number; readonly heads: number; readonly sectors: number };
}

const quoted = /^[^"\p{Control}]{1,255}$/u;

/** The text of a descriptor. */
export function encodeDescriptor(descriptor: NewDescriptor): string {
  const { adapterType, contentId, createType, fileName = '', geometry, sectorCount } = descriptor;
  return `# Disk DescriptorFile
version=1
encoding="UTF-8"
CID=${contentIdText(contentId)}
parentCID=ffffffff
createType="${createType}"

# Extent description
RW ${sectorCount} SPARSE "${quoted.test(fileName) ? fileName : 'disk.vmdk'}"

# The Disk Data Base
#DDB

ddb.virtualHWVersion = "4"
ddb.geometry.cylinders = "${geometry.cylinders}"
ddb.geometry.heads = "${geometry.heads}"
ddb.geometry.sectors = "${geometry.sectors}"
ddb.adapterType = "${adapterType}"
`;
}
