import type { BlockDevice } from '../../block/block-device.ts';
import { alignUp } from '../../bytes/align.ts';
import { encodeHeader, type Qcow2Header } from '../../format/qcow2/header.ts';

/** What a disk writes as a whole, in bytes. */
const sectorSize = 512;
/** Where additional fields begin in a header of version 3, in bytes. */
const additionalFieldsOffset = 105;

/** An image's first cluster, and which of its bytes the header leads to besides itself. */
interface FirstCluster {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/**
 * Writes the first cluster of an image anew, with what `change` makes of its header, durably. Extensions and names that
 * reach over the first sector are written to where the old ones are not, with the length of the header between, and then
 * the first sector makes them count: cut off anywhere, all are the old ones or all the new. Version 2 has no such length,
 * and a small cluster may have no room: there it is one write, of which a power cut may leave a part.
 *
 * @throws VarveError `INVALID` where it does not fit into one cluster
 */
export async function replaceFirstCluster(
  file: BlockDevice,
  bytes: Uint8Array,
  header: Qcow2Header,
  change: (header: Qcow2Header) => Qcow2Header,
): Promise<void> {
  const before = { bytes, start: additionalFieldsOffset + header.additionalFields.length, end: usedLength(bytes) };
  const plain = firstCluster(change({ ...header, additionalFields: withoutZeros(header.additionalFields) }));
  const after = header.version === 2 ? plain : (apartFrom(before, header, change, plain) ?? plain);
  const length = Math.min(alignUp(Math.max(before.end, after.end), sectorSize), after.bytes.length);
  if (isApart(before, after)) {
    const start = Math.max(after.start - (after.start % sectorSize), sectorSize);
    const end = Math.min(alignUp(after.end, sectorSize), after.bytes.length);
    if (end > start) await file.write(after.bytes.subarray(start, end), start);
    await file.flush();
    await file.write(after.bytes.subarray(0, Math.min(sectorSize, length)), 0);
    await file.flush();
  }
  await file.write(after.bytes.subarray(0, length), 0);
  await file.flush();
}

/** The new first cluster with its parts where the old one has none; undefined where there is no room. */
function apartFrom(
  before: FirstCluster,
  header: Qcow2Header,
  change: (header: Qcow2Header) => Qcow2Header,
  plain: FirstCluster,
): FirstCluster | undefined {
  if (isApart(before, plain)) return plain;
  const additionalFields = new Uint8Array(alignUp(before.end, sectorSize) - additionalFieldsOffset);
  additionalFields.set(withoutZeros(header.additionalFields));
  const moved = change({ ...header, additionalFields });
  const room = 2 ** header.clusterBits - additionalFields.length;
  return room > plain.end ? firstCluster(moved) : undefined;
}

function firstCluster(header: Qcow2Header): FirstCluster {
  const bytes = encodeHeader(header);
  return { bytes, start: additionalFieldsOffset + header.additionalFields.length, end: usedLength(bytes) };
}

/** Whether what is behind the first sector of one is not where the other has something. */
function isApart(one: FirstCluster, other: FirstCluster): boolean {
  const [oneStart, otherStart] = [Math.max(one.start, sectorSize), Math.max(other.start, sectorSize)];
  return one.end <= otherStart || other.end <= oneStart;
}

function withoutZeros(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, usedLength(bytes));
}

function usedLength(bytes: Uint8Array): number {
  return bytes.findLastIndex((byte) => byte !== 0) + 1;
}
