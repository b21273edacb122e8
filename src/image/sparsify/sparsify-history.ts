import { isVarveError, VarveError } from '../../base/varve-error.ts';
import { IntervalSet } from '../../bytes/interval-set.ts';
import { BlockStates } from '../../filter/block-states.ts';
import { log } from '../../log/log.ts';
import { chunkSize, hexOf, type NameKey } from '../../store/chunk.ts';
import { collectGarbage } from '../../store/collect-garbage.ts';
import { ContentMap } from '../../store/content-map.ts';
import { parseReference } from '../../store/image-name.ts';
import { type Image, referenceOf, type Snapshot } from '../../store/image-table.ts';
import type { IngestSession } from '../../store/ingest-session.ts';
import { openContent } from '../../store/open-content.ts';
import { takeWriteLease } from '../../store/overlay/edit-overlays.ts';
import { ingestChanges } from '../../store/overlay/ingest-changes.ts';
import { overlayBlockSize } from '../../store/overlay/map-header.ts';
import { type NewContent, refuseHistoryInUse, rewriteHistory } from '../../store/rewrite-history.ts';
import type { Store } from '../../store/store.ts';
import { throwIfAborted } from '../../store/throw-if-aborted.ts';
import { settleImage } from '../settle-image.ts';
import { dropDeadRuns } from '../transaction/run-lease.ts';
import { blankedDevice } from './blanked-device.ts';
import { StoredLengths } from './stored-lengths.ts';
import { findUnused, type UnusedRanges } from './unused-ranges.ts';

/** How a history is sparsified. */
export interface SparsifyHistoryOptions {
  /** Volumes that are left as they are, where a snapshot has them. */
  readonly ignore?: readonly string[] | undefined;
  /** Takes what lies between partitions, too. */
  readonly gaps?: boolean | undefined;
  /** Only says what would be done. */
  readonly dryRun?: boolean | undefined;
  /** Called for each snapshot when it was looked at, oldest first. */
  readonly onSnapshot?: ((snapshot: SparsifiedSnapshot) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What came of one snapshot. */
export interface SparsifiedSnapshot {
  /** `web@3` */
  readonly snapshot: string;
  readonly steps: readonly UnusedRanges[];
  /** Whole chunks of data that nothing in it uses, in bytes of the disk. */
  readonly unusedLength: number;
}

/** What came of a history. */
export interface SparsifiedHistory {
  readonly snapshots: readonly SparsifiedSnapshot[];
  /** How many snapshots are other ones now; those made from one that changed count, too. */
  readonly rewrittenCount: number;
  /** What the distinct unused chunks take in the store, in bytes: what comes free, but for those that others need. */
  readonly unusedStoredLength: number;
  /** What all packs of the store take, in bytes, before and after garbage collection. */
  readonly stored: { readonly before: number; readonly after: number };
  /** Why garbage was not collected: somebody else imports, or collects. */
  readonly notCollected?: string | undefined;
}

/**
 * Rewrites every snapshot of an image so that what its file systems call free reads as zeros, all of them at once or
 * none, and collects garbage. Contents are not read, but for the file systems' own and for chunks that are free in
 * part. File systems that are not clean, or not known, stay as they are.
 *
 * @throws VarveError `INVALID` for the name of a snapshot, `NOT_FOUND`, `READ_ONLY`, `BUSY` while somebody reads or writes
 *   the image, `CONFLICT` for uncommitted changes and open transactions, `ABORTED`, `NO_SPACE`, `CORRUPT`
 */
export async function sparsifyHistory(
  store: Store,
  name: string,
  options: SparsifyHistoryOptions = {},
): Promise<SparsifiedHistory> {
  if (parseReference(name).selector.kind !== 'newest') {
    throw new VarveError('INVALID', `cannot sparsify the history of ${name}: it names a snapshot; name an image`);
  }
  store.requireWritable();
  await settleImage(store, name, options);
  dropDeadRuns(store);
  return await log.scope(`sparsify ${name}`, async () => {
    const image = store.images.get(name);
    const purpose = `sparsify the history of ${image.name}`;
    const lease = takeWriteLease(store, { image: image.id, owner: '', purpose });
    try {
      return await rewrite(store, image, lease, options);
    } finally {
      store.leases.release(lease);
    }
  });
}

async function rewrite(
  store: Store,
  image: Image,
  lease: number,
  options: SparsifyHistoryOptions,
): Promise<SparsifiedHistory> {
  const snapshots = store.images.snapshots(image.name);
  const claim = { writing: lease, snapshots };
  refuseHistoryInUse(store, image, claim);
  const before = packBytes(store);
  await using session = store.beginIngest(`sparsify the history of ${image.name}`);
  const history = new HistoryBlanker(store, session, options);
  for (const snapshot of snapshots) await history.add(snapshot);
  const found = { snapshots: history.done, unusedStoredLength: history.lengths.total };
  if (options.dryRun || history.contents.size === 0) {
    return { ...found, rewrittenCount: 0, stored: { before, after: before } };
  }
  throwIfAborted(options.signal);
  const rewrittenCount = rewriteHistory(store, { image, snapshots, contents: history.contents }, lease);
  // Garbage collection waits for sessions.
  await session[Symbol.asyncDispose]();
  const notCollected = await collect(store, options.signal);
  return { ...found, rewrittenCount, stored: { before, after: packBytes(store) }, notCollected };
}

async function collect(store: Store, signal: AbortSignal | undefined): Promise<string | undefined> {
  try {
    await collectGarbage(store, { signal, waitMs: 0 });
    return undefined;
  } catch (error) {
    if (isVarveError(error, 'BUSY')) return error.message;
    throw error;
  }
}

function packBytes(store: Store): number {
  return Number(store.catalog.get('SELECT coalesce(sum(size), 0) AS size FROM packs')?.size);
}

/** Brings in what snapshots hold without what nothing in them uses; each content once. */
class HistoryBlanker {
  readonly contents = new Map<number, NewContent>();
  readonly done: SparsifiedSnapshot[] = [];
  readonly lengths: StoredLengths;
  readonly #store: Store;
  readonly #session: IngestSession;
  readonly #options: SparsifyHistoryOptions;
  readonly #known = new Map<NameKey, Blanked>();

  constructor(store: Store, session: IngestSession, options: SparsifyHistoryOptions) {
    this.#store = store;
    this.#session = session;
    this.#options = options;
    this.lengths = new StoredLengths(store);
  }

  async add(snapshot: Snapshot): Promise<void> {
    throwIfAborted(this.#options.signal);
    const key = hexOf(snapshot.root);
    const { steps, unusedLength, content } = this.#known.get(key) ?? (await this.#blank(snapshot));
    this.#known.set(key, { steps, unusedLength, content });
    if (content !== undefined) this.contents.set(snapshot.number, content);
    const result = { snapshot: referenceOf(snapshot), steps, unusedLength };
    this.done.push(result);
    this.#options.onSnapshot?.(result);
  }

  async #blank(snapshot: Snapshot): Promise<Blanked> {
    const { signal, dryRun } = this.#options;
    await using device = await openContent(this.#store.reader, snapshot.root, () => {});
    const steps = await this.#unusedIn(snapshot, device);
    const blank = new IntervalSet();
    for (const step of steps) {
      for (const { offset, length } of step.kind === 'left' ? [] : step.ranges) blank.add(offset, offset + length);
    }
    const base = await ContentMap.open(this.#store.reader, snapshot.root);
    const unusedLength = await this.lengths.add(base, blank);
    if (dryRun) return { steps, unusedLength, content: undefined };
    const changed = {
      device: blankedDevice(device, blank),
      ...{ base, baseDataChunks: snapshot.statistics.dataLength / chunkSize, states: [statesOf(blank, device.size)] },
    };
    const { root, statistics } = await ingestChanges(this.#session, changed, { signal });
    const isSame = hexOf(root) === hexOf(snapshot.root);
    const content = isSame ? undefined : { root, dataLength: statistics.dataLength };
    return { steps, unusedLength, content };
  }

  /** A disk may have got its partitions in a later snapshot, so that a volume to be ignored need not be in all. */
  async #unusedIn(snapshot: Snapshot, device: Awaited<ReturnType<typeof openContent>>): Promise<UnusedRanges[]> {
    const { ignore = [], gaps } = this.#options;
    const name = referenceOf(snapshot);
    try {
      return await findUnused(device, { name, gaps, ignore, ignoreMissing: true });
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT')) throw error;
      return [{ kind: 'left', volume: '/dev/sda', reason: `is damaged: ${error.message}` }];
    }
  }
}

interface Blanked {
  readonly steps: readonly UnusedRanges[];
  readonly unusedLength: number;
  /** Undefined where it is what it was. */
  readonly content: NewContent | undefined;
}

/** In which blocks something is blank, if only in part. */
function statesOf(blank: IntervalSet, size: number): BlockStates {
  const states = new BlockStates(Math.ceil(size / overlayBlockSize));
  for (const { offset, end } of blank) {
    states.set(Math.floor(offset / overlayBlockSize), Math.ceil(end / overlayBlockSize), 'zero');
  }
  return states;
}
