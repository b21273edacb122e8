import type { BlockDevice, Extent, MaybePromise } from '../../block/block-device.ts';
import { allocationFlags, transmissionFlags } from '../../protocol/nbd/constants.ts';
import type { ExportOffer, ListedExport } from '../../protocol/nbd/negotiation.ts';
import type { BlockSizes } from '../../protocol/nbd/option-codec.ts';
import type { StatusRun } from '../../protocol/nbd/transmission-codec.ts';
import { inBlocks } from './in-blocks.ts';

/** What a metadata context tells of a range, in order and without gaps; it may stop early, after at least one run. */
export type StatusSource = (offset: number, length: number) => Iterable<StatusRun> | AsyncIterable<StatusRun>;

/** A disk that is served. */
export interface NbdExport {
  readonly device: BlockDevice;
  readonly description?: string | undefined;
  /** Contexts beside `base:allocation`, by name. */
  readonly contexts?: ReadonlyMap<string, StatusSource>;
  /** A context that is made when somebody asks for it; `undefined` where there is none of that name. */
  readonly findContext?: (name: string) => StatusSource | undefined;
  /** Whether each connection has a disk of its own, so that a flush on one covers nothing of the others. */
  readonly isPrivate?: boolean;
  /** What requests have to keep to; any alignment, and 32 MiB, where nothing is given. */
  readonly blockSizes?: BlockSizes | undefined;
  /** Aborted when whoever uses it is to be disconnected at once, as the disk is no more. */
  readonly ended?: AbortSignal | undefined;
}

/** An export that a connection may come to. */
export interface ExportEntry {
  readonly offer: ExportOffer;
  /** The disk for one connection, which disposes of what it is given when it ends. */
  connect(): MaybePromise<NbdExport & Partial<AsyncDisposable>>;
}

/** What a server serves. */
export interface NbdExports {
  /** The exports that a client may see, by name. */
  list(): Iterable<ListedExport>;
  /** Whether there is one of a name, where that is quicker to tell than by a list. */
  has?(name: string): boolean;
  /** The export of a name; `undefined` where there is none. */
  find(name: string): MaybePromise<ExportEntry | undefined>;
}

/** An export whose disk all connections share, and which belongs to the caller. */
export function sharedEntry(nbdExport: NbdExport): ExportEntry {
  return { offer: offerOf(nbdExport), connect: () => ({ ...nbdExport }) };
}

/** A read or a write carries at most so many bytes: what QEMU takes, too. */
export const maximumPayloadLength = 2 ** 25;

/** A disk that need not be open yet. */
type DiskTraits = Pick<BlockDevice, 'size' | 'blockSize' | 'supports'>;

/** An export as the negotiation offers it. */
export function offerOf(nbdExport: Omit<NbdExport, 'device'> & { readonly device: DiskTraits }): ExportOffer {
  const { contexts, description, device, findContext, isPrivate = false } = nbdExport;
  return {
    size: device.size,
    flags: isPrivate ? flagsOf(device) & ~transmissionFlags.CAN_MULTI_CONN : flagsOf(device),
    blockSizes: blockSizesOf(nbdExport),
    description,
    contexts: ['base:allocation', ...(contexts?.keys() ?? [])],
    ...(findContext === undefined ? {} : { hasContext: (name) => findContext(name) !== undefined }),
  };
}

/** A device takes requests of any alignment; its own is the one it prefers. */
export function blockSizesOf({
  blockSizes,
  device,
}: Pick<NbdExport, 'blockSizes'> & { readonly device: DiskTraits }): BlockSizes {
  return blockSizes ?? { minimum: 1, preferred: preferredSize(device), maximum: maximumPayloadLength };
}

/** What tells the runs of a context that was negotiated. */
export function statusSource(nbdExport: NbdExport, name: string): StatusSource | undefined {
  const { contexts, device, findContext } = nbdExport;
  const { minimum } = blockSizesOf(nbdExport);
  if (name === 'base:allocation') {
    // Only what all of a block is may be said of it.
    return inBlocks(
      (offset, length) => allocationRuns(device.extents(offset, length)),
      minimum,
      (a, b) => a & b,
    );
  }
  const source = contexts?.get(name) ?? findContext?.(name);
  // A block is dirty where any of it is, and lies as deep as its deepest part.
  return source && inBlocks(source, minimum, Math.max);
}

function flagsOf({ supports }: DiskTraits): number {
  const flags = transmissionFlags;
  // Connections share the device, so that a flush on one covers the others.
  const shared = flags.HAS_FLAGS | flags.SEND_FLUSH | flags.SEND_DF | flags.CAN_MULTI_CONN | flags.SEND_CACHE;
  const all = shared | flags.BLOCK_STATUS_PAYLOAD;
  if (!supports.write) return all | flags.READ_ONLY;
  return all | flags.SEND_FUA | flags.SEND_TRIM | flags.SEND_WRITE_ZEROES | flags.SEND_FAST_ZERO;
}

/** Between 512 bytes and the largest payload, as the protocol has it. */
function preferredSize({ blockSize }: DiskTraits): number {
  return Math.min(Math.max(blockSize, 4096), maximumPayloadLength);
}

function allocationRuns(
  extents: Iterable<Extent> | AsyncIterable<Extent>,
): Iterable<StatusRun> | AsyncIterable<StatusRun> {
  return Symbol.iterator in extents ? syncRuns(extents) : asyncRuns(extents);
}

function* syncRuns(extents: Iterable<Extent>): Generator<StatusRun, undefined> {
  for (const extent of extents) yield runOf(extent);
}

async function* asyncRuns(extents: AsyncIterable<Extent>): AsyncGenerator<StatusRun, undefined> {
  for await (const extent of extents) yield runOf(extent);
}

function runOf({ kind, length }: Extent): StatusRun {
  if (kind === 'data') return { length, flags: 0 };
  return { length, flags: kind === 'zero' ? allocationFlags.ZERO : allocationFlags.ZERO | allocationFlags.HOLE };
}
