import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { VarveError } from '../base/varve-error.ts';
import { log } from '../log/log.ts';
import type { SnapshotNote } from '../store/append-snapshot.ts';
import { sameName } from '../store/chunk.ts';
import { temporaryPrefix } from '../store/directory-pack-store.ts';
import { imageName, tagName } from '../store/image-name.ts';
import { referenceOf, type Snapshot } from '../store/image-table.ts';
import { type Content, ingestDevice } from '../store/ingest-device.ts';
import type { IngestSession } from '../store/ingest-session.ts';
import { isSettled, SourceTable } from '../store/source-table.ts';
import type { Store } from '../store/store.ts';
import { openAddressDisk } from './address-disk.ts';
import { knownInside, memberFormat, packedFormat } from './compressed-file-source.ts';
import { diskAddress } from './disk-address.ts';
import { changedFile, type FileDisk, type OpenFileDiskOptions, openFileDisk, openStreamDisk } from './file-disk.ts';
import { settleImage } from './settle-image.ts';
import { completeNote, type SnapshotDetails } from './snapshot-details.ts';
import { refuseTakenTag } from './snapshot-image.ts';
import { spoolStream } from './spool-stream.ts';

/** How a disk is imported. */
export interface ImportOptions extends OpenFileDiskOptions, SnapshotDetails {
  /** The image's name; `sourceName` makes one from a path. */
  readonly name: string;
  /** Makes the next snapshot of an image that exists, instead of an image that does not. */
  readonly update?: boolean | undefined;
  /** With `update`: makes a snapshot even where nothing changed. */
  readonly always?: boolean | undefined;
  /** A name for the snapshot. */
  readonly tag?: string | undefined;
  /** Takes a file that changes while it is read as it comes. */
  readonly live?: boolean | undefined;
  /** Reads the file even where it has not changed since it was imported before. */
  readonly reread?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What came of an import. */
export interface ImportResult {
  /** The new snapshot, or the newest one where nothing changed. */
  readonly snapshot: Snapshot;
  /** Whether an update found nothing new, and made no snapshot. */
  readonly unchanged: boolean;
}

/**
 * Brings a disk into the store, as a new image or as the next snapshot of one: the file, block device or address `source`, or
 * what a stream gives, which is written to the store's directory first, as its size is not known. Nothing of it shows
 * before all of it is there and durable.
 *
 * @throws VarveError `EXISTS` or `NOT_FOUND` by the image's name, before anything is read; `CONFLICT` when the image
 *   or the file changed meanwhile; `READ_ONLY`, `NO_SPACE`, `ABORTED`, and what `openFileDisk` throws
 */
export async function importDisk(
  store: Store,
  source: string | Readable,
  options: ImportOptions,
): Promise<ImportResult> {
  const name = imageName(options.name);
  await settleImage(store, name, options);
  const parent = parentOf(store, name, options);
  return await log.scope(`import ${name}`, async () => {
    await using session = store.beginIngest(`import ${name}`);
    const { content, message } = await takeIn(store, session, source, { ...options, name });
    const unchanged = parent !== undefined && sameName(parent.root, content.root) && !options.always;
    const snapshot = unchanged ? parent : addSnapshot(store, name, content, parent, completeNote(options, message));
    const { tag } = options;
    return {
      snapshot: tag === undefined ? snapshot : store.edit.tag(referenceOf(snapshot), tag, { move: false }),
      unchanged,
    };
  });
}

/** What a source holds, and what the snapshot is to say of it. */
async function takeIn(store: Store, session: IngestSession, source: string | Readable, options: ImportOptions) {
  const isFile = typeof source === 'string' && diskAddress(source) === undefined;
  const known = isFile ? await knownInside(store, source, options) : undefined;
  if (known !== undefined) return { content: known, message: `Imported from ${basename(String(source))}` };
  const openedAt = Date.now();
  await using disk = await openSource(store, source, options);
  const content = await bringIn(store, session, disk, { ...options, openedAt });
  return { content, message: `Imported from ${disk.kind === 'file' ? basename(disk.label) : disk.label}` };
}

function addSnapshot(
  store: Store,
  name: string,
  content: Content,
  parent: Snapshot | undefined,
  note: SnapshotNote,
): Snapshot {
  const snapshot = { content, parent, ...note };
  return parent === undefined ? store.edit.createImage(name, snapshot) : store.edit.addSnapshot(name, snapshot, parent);
}

/** The snapshot that an update follows. Asked first: nobody wants to wait for an hour to hear this. */
function parentOf(store: Store, name: string, { update = false, tag }: ImportOptions): Snapshot | undefined {
  store.requireWritable();
  if (tag !== undefined) tagName(tag);
  const exists = store.images.find(name) !== undefined;
  if (exists && update && tag !== undefined) refuseTakenTag(store, name, tag);
  if (exists === update) return update ? store.images.resolve(name) : undefined;
  if (update) throw new VarveError('NOT_FOUND', `there is no image ${name} to update; leave out --update to make it`);
  const advice = 'choose another name, or give --update to make this its next snapshot';
  throw new VarveError('EXISTS', `an image ${name} exists already; ${advice}`);
}

async function openSource(store: Store, source: string | Readable, options: ImportOptions): Promise<FileDisk> {
  const directory = join(store.path, temporaryPrefix);
  const how = { ...options, unpackDirectory: directory };
  const address = typeof source === 'string' ? diskAddress(source) : undefined;
  if (address !== undefined) return await openAddressDisk(address, how);
  if (typeof source === 'string') return await openFileDisk(source, { ...how, forceShare: options.live });
  const label = 'standard input';
  using progress = log.progress({ label: `reading ${label}` });
  const onBytes = (count: number) => progress.advance(count);
  const file = await spoolStream(source, { directory, label, signal: options.signal, onBytes });
  return await openStreamDisk(file, label, how);
}

async function bringIn(
  store: Store,
  session: IngestSession,
  disk: FileDisk,
  options: ImportOptions & { readonly openedAt: number },
): Promise<Content> {
  const sources = new SourceTable(store.catalog);
  const { information, packing } = disk;
  const format =
    packing === undefined ? memberFormat(information.format, options) : packedFormat(packing.kind, options);
  // What a chain of files holds does not show in the uppermost one, nor what filters make of it.
  const isWhole = disk.files.length === 1 && options.filters === undefined;
  const identity = isWhole ? disk.files[0]?.identity : undefined;
  const known = identity === undefined || options.reread ? undefined : sources.find(identity, format);
  if (known !== undefined) {
    log(1, '%s has not changed since it was imported before', disk.label);
    return known;
  }
  const content = await ingest(session, disk, options);
  const changed = await changedFile(disk);
  if (changed === undefined) {
    if (identity !== undefined && isSettled(identity, options.openedAt))
      sources.remember(identity, format, content.root);
  } else if (!options.live) refuseChanged(changed, options.name);
  return content;
}

async function ingest(session: IngestSession, { device, label }: FileDisk, options: ImportOptions): Promise<Content> {
  log(1, 'reading %s', label);
  using progress = log.progress({ label: `importing ${options.name}`, totalBytes: device.size });
  const onProgress = (position: number) => progress.advance(position - progress.bytes);
  return await ingestDevice(session, device, { signal: options.signal, onProgress });
}

function refuseChanged(path: string, name: string): never {
  const advice = 'stop what writes to it, or give --live to take it as it comes';
  throw new VarveError('CONFLICT', `cannot import ${name}: ${path} changed while it was read; ${advice}`);
}
