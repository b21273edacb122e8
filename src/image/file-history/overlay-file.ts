import type { FileHandle } from 'node:fs/promises';
import { relative } from 'node:path';
import { isVarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { readFully, writeFully } from '../../block/positional-io.ts';
import { fileTarget } from '../../format/file-target.ts';
import type { BackingReference } from '../../format/image-format.ts';
import { type ContentStamp, contentStampType, encodeContentStamp } from '../../format/qcow2/content-stamp.ts';
import { decodeHeader, encodeHeader, type Qcow2Header } from '../../format/qcow2/header.ts';
import { extensionType } from '../../format/qcow2/header-extensions.ts';
import { readHeader } from '../../format/qcow2/read-header.ts';
import { writeQcow2 } from '../../format/qcow2/write-qcow2.ts';
import { type FileStamp, stampFile } from './base-stamp.ts';
import type { ImageFile } from './image-file.ts';
import { replaceFirstCluster } from './replace-first-cluster.ts';

/** What an overlay is to build on. */
export interface OverlayBase {
  readonly backing: BackingReference;
  readonly stamp: ContentStamp;
}

/** Who says what of a base, and when: milliseconds since 1970. */
export interface BaseNote {
  readonly message: string;
  readonly author: string;
  readonly time: number;
}

/** In bytes. */
const defaultClusterSize = 65536;

/** How an overlay in `directory` names the image `base`: by a relative name, with its format. */
export function backingReference(directory: string, base: ImageFile, path: string = base.path): BackingReference {
  const name = relative(directory, path);
  // A first part with a colon would be taken for a protocol.
  return { name: /^[^/]*:/.test(name) ? `./${name}` : name, format: base.information.format };
}

/** The name and the stamp of the file at `path`, which the overlay is to find as `backing`. */
export async function overlayBase(path: string, backing: BackingReference, note: BaseNote): Promise<OverlayBase> {
  const stamp: FileStamp = await stampFile(path);
  return { backing, stamp: { ...stamp, ...note, baseName: backing.name } };
}

/**
 * Writes an empty overlay for a disk of `size` bytes into an empty file; syncing it is up to the caller. `name` is the
 * file's in errors; the cluster size is in bytes.
 */
export async function writeOverlay(
  file: FileHandle,
  name: string,
  size: number,
  base: OverlayBase,
  clusterSize = defaultClusterSize,
): Promise<void> {
  await writeQcow2(memoryDevice(size), fileTarget(file.fd, name), { clusterSize });
  const first = new Uint8Array(clusterSize);
  readFully(file.fd, first, 0, name);
  writeFully(file.fd, encodeHeader(withBase(decodeHeader(first, name), base)), 0, name);
}

/** The header with another base, or with none, and with everything else that is in it. */
function withBase(header: Qcow2Header, base: OverlayBase | undefined): Qcow2Header {
  const others = header.extensions.filter(
    ({ type }) => type !== extensionType.backingFormat && type !== contentStampType,
  );
  if (base === undefined) return { ...header, backingFile: undefined, extensions: others };
  const { name, format } = base.backing;
  const typed = { type: extensionType.backingFormat, data: new TextEncoder().encode(format ?? 'raw') };
  const stamp = { type: contentStampType, data: encodeContentStamp(base.stamp) };
  const full = { ...header, backingFile: name, extensions: [typed, ...others, stamp] };
  // A small cluster may have no room for the stamp, and for what else explains the header.
  return fits(full) ? full : { ...full, extensions: [typed, ...others] };
}

/**
 * Gives the image in a file that is open for writing another base, durably: cut off anywhere, it has the one or the other.
 *
 * @throws VarveError `INVALID` where the name does not fit into its header
 */
export async function writeBase(file: BlockDevice, name: string, base: OverlayBase | undefined): Promise<void> {
  const header = await readHeader(file, name);
  const before = new Uint8Array(Math.min(2 ** header.clusterBits, file.size));
  await file.read(before, 0);
  await replaceFirstCluster(file, before, header, (current) => withBase(current, base));
}

function fits(header: Qcow2Header): boolean {
  try {
    return encodeHeader(header).length > 0;
  } catch (error) {
    if (isVarveError(error, 'INVALID') || error instanceof RangeError) return false;
    throw error;
  }
}
