import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice, Extent, MaybePromise } from '../../block/block-device.ts';
import { attributeFlags, openFlags } from '../../linux/fuse/constants.ts';
import type { FuseOperations, FuseWriting } from '../../linux/fuse/fuse-operations.ts';
import type { FuseAttributes, FuseStatistics } from '../../linux/fuse/reply-codec.ts';
import type { AllocateRequest, SetAttributesRequest } from '../../linux/fuse/request-codec.ts';

const regularFile = 0o100000;
/** The granularity in which loop devices give space back, in bytes. */
const blockSize = 4096;
/** Source: fallocate(2). */
const keepSize = 1;
const punchHole = 2;
const zeroRange = 16;

/** The type and permissions of the file that shows a disk. */
export function diskFileMode(isWritable: boolean): number {
  return regularFile + (isWritable ? 0o600 : 0o400);
}

/** A file system that is nothing but one file, whose content is a disk. The disk stays the caller's. */
export function diskFile(device: BlockDevice): FuseOperations & FuseWriting {
  return new DiskFile(device);
}

/** It behaves as a block device does: its size stays, and what goes past its end finds no space. */
class DiskFile implements FuseOperations, FuseWriting {
  readonly writing: FuseWriting;
  readonly #device: BlockDevice;
  readonly #time = { seconds: Math.floor(Date.now() / 1000), nanoseconds: 0 };

  constructor(device: BlockDevice) {
    this.#device = device;
    this.writing = this;
  }

  attributes(): FuseAttributes {
    const { blockSize: granularity, size, supports } = this.#device;
    // Programs look for holes in files that take less space than they are long. How much less would be long to find out.
    const allocated = Math.ceil(size / 512) - (supports.extents ? 1 : 0);
    return {
      ...{ inode: 1, size, blocks: Math.max(allocated, 0), mode: diskFileMode(supports.write), links: 1, device: 0 },
      ...{ accessed: this.#time, modified: this.#time, changed: this.#time },
      ...{ uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, blockSize: Math.max(granularity, blockSize) },
    };
  }

  /**
   * Times are never told, so that nothing is changed by setting them. Opening a file with O_TRUNC, as `cp` does, comes here as a
   * size of 0 and without the file's handle, and is ignored as a block device ignores it.
   */
  setAttributes(_node: number, { size, valid }: SetAttributesRequest): FuseAttributes {
    const isOpening = size === 0 && (valid & attributeFlags.FILE_HANDLE) === 0;
    if ((valid & attributeFlags.SIZE) !== 0 && size !== this.#device.size && !isOpening) {
      throw new VarveError('INVALID', 'cannot change the size of a disk while it is attached');
    }
    if ((valid & (attributeFlags.MODE | attributeFlags.UID | attributeFlags.GID)) !== 0) {
      throw new VarveError('PERMISSION', 'an attached disk belongs to who attached it');
    }
    return this.attributes();
  }

  /** Nobody else changes the disk, so that the kernel may keep what it has read. */
  open(): number {
    return openFlags.KEEP_CACHE + openFlags.NO_FLUSH;
  }

  read(_node: number, target: Uint8Array, offset: number): MaybePromise<number> {
    const length = Math.min(target.length, this.#device.size - offset);
    if (length <= 0) return 0;
    const pending = this.#device.read(length === target.length ? target : target.subarray(0, length), offset);
    return pending === undefined ? length : pending.then(() => length);
  }

  write(_node: number, source: Uint8Array, offset: number): MaybePromise<number> {
    const length = Math.min(source.length, this.#device.size - offset);
    if (length <= 0) throw noSpace();
    const pending = this.#device.write(length === source.length ? source : source.subarray(0, length), offset);
    return pending === undefined ? length : pending.then(() => length);
  }

  sync(): MaybePromise<void> {
    return this.#device.flush();
  }

  /**
   * Both modes must read as zeros afterwards, which `trim` does not promise; zeroing gives space back, too, as cheaply as
   * the disk can.
   */
  allocate(_node: number, { length, mode, offset }: AllocateRequest): MaybePromise<void> {
    const end = Math.min(offset + length, this.#device.size);
    if (mode !== punchHole + keepSize && mode !== zeroRange + keepSize && mode !== zeroRange) {
      throw new VarveError('UNSUPPORTED', `fallocate with mode ${mode} is not for disks`);
    }
    if (mode === zeroRange && end !== offset + length) throw noSpace();
    if (end > offset) return this.#device.zero(offset, end - offset);
  }

  seek(_node: number, offset: number, kind: 'data' | 'hole'): MaybePromise<number | undefined> {
    const { size } = this.#device;
    if (offset >= size) return undefined;
    const extents = this.#device.extents(offset, size - offset);
    const end = kind === 'hole' ? size : undefined;
    if (!(Symbol.iterator in extents)) return findLater(extents, kind, end);
    for (const extent of extents) if (isOf(extent, kind)) return extent.offset;
    return end;
  }

  statistics(): FuseStatistics {
    return { blockSize, blocks: Math.ceil(this.#device.size / blockSize), freeBlocks: 0 };
  }
}

async function findLater(
  extents: AsyncIterable<Extent>,
  kind: 'data' | 'hole',
  end: number | undefined,
): Promise<number | undefined> {
  for await (const extent of extents) if (isOf(extent, kind)) return extent.offset;
  return end;
}

function isOf(extent: Extent, kind: 'data' | 'hole'): boolean {
  return (extent.kind === 'data') === (kind === 'data');
}

function noSpace(): VarveError {
  return new VarveError('NO_SPACE', 'the disk ends there');
}
