import { VarveError } from '../../base/varve-error.ts';
import { isResizable } from '../../block/block-device.ts';
import { answerOf, type Steps } from '../../block/run-steps.ts';
import { alignUp } from '../../bytes/align.ts';
import { isZero } from '../../bytes/is-zero.ts';
import { l2Coverage } from './check-header.ts';
import type { ClusterWriter } from './cluster-writer.ts';
import type { ClusterZeroer } from './cluster-zeroer.ts';
import { type ImageTables, tableCapacity } from './image-tables.ts';

const sectorSize = 512;
const maximumL1Length = 32 * 2 ** 20;

/** What changes the disk while it is resized. */
export interface ResizingParts {
  readonly tables: ImageTables;
  readonly writer: ClusterWriter;
  readonly zeroer: ClusterZeroer;
}

/**
 * Makes the disk `size` bytes long: with zeros, or by giving up what is past its new end. Cut off, it has its old size
 * and content or its new ones.
 *
 * @throws VarveError `INVALID` for a size that is no whole number of sectors, or too large; `UNSUPPORTED` for an
 *   image of version 2 with snapshots, which would not know their size
 */
export function* resizeImage(parts: ResizingParts, size: number): Steps {
  const { data, image } = parts.tables;
  const { header, name } = image;
  checkSize(parts.tables, size);
  if (header.version === 2 && header.snapshotCount > 0) {
    const reason = 'it has snapshots, and in version 2 they do not know their size';
    throw new VarveError('UNSUPPORTED', `cannot resize ${name}: ${reason}`);
  }
  if (size !== header.size) yield* parts.tables.giveUpBitmaps();
  if (size < header.size) yield* shrink(parts, size);
  else if (size > header.size) yield* grow(parts, size);
  if (data.isExternal && isResizable(data.file)) yield data.file.resize(size);
}

function checkSize({ image }: ImageTables, size: number): void {
  const { header, name } = image;
  if (!(Number.isSafeInteger(size) && size >= 0 && size % sectorSize === 0)) {
    throw new VarveError('INVALID', `cannot make ${name} ${size} bytes long: choose a multiple of ${sectorSize}`);
  }
  if (Math.ceil(size / l2Coverage(header)) * 8 <= maximumL1Length) return;
  throw new VarveError('INVALID', `cannot make ${name} ${size} bytes long: its clusters are too small for that`);
}

/** The new size comes first: clusters that are past it and still there are given up when it grows again, too. */
function* shrink({ tables, zeroer }: ResizingParts, size: number): Steps {
  const { image, refcounts } = tables;
  yield* tables.commit();
  yield* image.changeFields({ size });
  yield image.file.flush();
  yield* zeroer.discardFrom(alignUp(size, image.clusterSize));
  yield* tables.commit();
  const end = (yield* refcounts.lastUsed()) + 1;
  const { file } = image;
  if (isResizable(file) && end * image.clusterSize < file.size) yield file.resize(end * image.clusterSize);
}

function* grow(parts: ResizingParts, size: number): Steps {
  const { tables, writer, zeroer } = parts;
  const { clusterSize, header } = tables.image;
  const oldEnd = alignUp(header.size, clusterSize);
  yield* zeroer.discardFrom(oldEnd);
  yield* zeroTail(parts, oldEnd);
  yield* growL1Table(tables, Math.ceil(size / l2Coverage(header)));
  const backed = Math.min(size, writer.backingSize);
  if (backed > oldEnd) yield* zeroer.zero(oldEnd, backed - oldEnd);
  yield* tables.commit();
  yield* tables.image.changeFields({ size });
  yield tables.image.file.flush();
}

/** Zeros what the last cluster holds past the disk's end, which will be a part of it. */
function* zeroTail({ tables, writer }: ResizingParts, end: number): Steps {
  const { size } = tables.image.header;
  const tail = new Uint8Array(end - size);
  if (tail.length === 0) return;
  yield* answerOf(writer.read(tail, size));
  if (!isZero(tail)) yield* writer.write(tail.fill(0), size);
}

/** Moves the L1 table to where it can have so many entries. */
function* growL1Table(tables: ImageTables, entryCount: number): Steps {
  const { image, l1, refcounts } = tables;
  const { clusterSize, header } = image;
  if (entryCount <= l1.entryCount) return;
  yield* tables.commit();
  const clusters = Math.ceil((entryCount * 8) / clusterSize);
  const first = yield* refcounts.allocateContiguous(clusters);
  const bytes = new Uint8Array(clusters * clusterSize);
  bytes.set(l1.bytes);
  yield* refcounts.write();
  yield image.file.write(bytes, first * clusterSize);
  yield image.file.flush();
  yield* image.changeFields({ l1Size: entryCount, l1TableOffset: first * clusterSize });
  yield image.file.flush();
  l1.replace(bytes.subarray(0, entryCount * 8));
  tables.l2.capacity = tableCapacity(image);
  refcounts.release(header.l1TableOffset / clusterSize, Math.ceil((header.l1Size * 8) / clusterSize));
}
