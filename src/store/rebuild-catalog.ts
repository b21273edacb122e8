import fs from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { isVarveError, systemError, VarveError } from '../base/varve-error.ts';
import { Catalog } from './catalog.ts';
import { hexOf, nameFromHex } from './chunk.ts';
import { DamageFinder } from './damage.ts';
import { removeFile, syncDirectory } from './directory-pack-store.ts';
import { rewriteRank, rewritesIn, setRewrites } from './history-rewrites.ts';
import { decodeImageRecord, type ImageRecord, imageRecordKey } from './image-record.ts';
import type { WorkOptions } from './ingest-device.ts';
import { LeaseTable } from './lease.ts';
import { decodeManifest, type Manifest } from './manifest.ts';
import { readOverlayRecords, rebuildOverlays } from './overlay/rebuild-overlays.ts';
import { readPackIndex } from './pack-index.ts';
import { catalogFile, checkStoreFile, Store } from './store.ts';
import { throwIfAborted } from './throw-if-aborted.ts';

/** What a rebuilt catalog holds, and what could not be brought back, a line each. */
export interface RebuildReport {
  readonly packCount: number;
  readonly imageCount: number;
  readonly snapshotCount: number;
  readonly skipped: readonly string[];
}

interface FoundManifest extends Manifest {
  readonly id: Uint8Array;
}

/**
 * Makes a store's catalog anew from its packs, manifests and image records. A snapshot is brought back when all that
 * it names is there. The old catalog, if there is one, is kept as `catalog.sqlite.old`.
 * @throws NOT_FOUND where there is no store, UNSUPPORTED for a newer one, BUSY when others use it, READ_ONLY, IO
 */
export async function rebuildCatalog(path: string, options: WorkOptions = {}): Promise<RebuildReport> {
  const directory = resolve(path);
  checkStoreFile(directory);
  refuseInUse(join(directory, catalogFile));
  const fresh = join(directory, `${catalogFile}.new`);
  removeDatabase(fresh);
  try {
    const report = await fill(directory, fresh, options);
    install(directory, fresh);
    return report;
  } catch (cause) {
    removeDatabase(fresh);
    throw systemError(`rebuild the catalog of ${directory}`, cause);
  }
}

async function fill(directory: string, fresh: string, options: WorkOptions): Promise<RebuildReport> {
  await using store = new Store(directory, Catalog.create(fresh));
  const skipped: string[] = [];
  const packCount = await addPacks(store, options, skipped);
  const records = readObjects(store, 'images', skipped, (bytes, key) => readRecord(bytes, key));
  const manifests = readObjects(store, 'snapshots', skipped, (bytes, key) => readManifest(bytes, key));
  const whole = manifests.filter((manifest) => isWhole(store, manifest, skipped));
  const overlays = readOverlayRecords(store, skipped);
  const { imageCount, snapshotCount } = store.catalog.write(() => {
    const counts = addImages(store, whole, records, skipped);
    rebuildOverlays(store, overlays, skipped);
    return counts;
  });
  return { packCount, imageCount, snapshotCount, skipped };
}

async function addPacks(store: Store, options: WorkOptions, skipped: string[]): Promise<number> {
  let packCount = 0;
  for (const { key } of store.packs.list('packs')) {
    throwIfAborted(options.signal);
    try {
      const { name, size, entries } = await readPackIndex(store.packs, key);
      store.catalog.writeLazily(() => store.chunks.addPack(name, size, entries));
      packCount += 1;
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT', 'NOT_FOUND')) throw error;
      skipped.push(error.message);
    }
  }
  return packCount;
}

function readManifest(bytes: Uint8Array, key: string): FoundManifest {
  const id = nameFromHex(basename(key, '.json'));
  if (id === undefined) throw new VarveError('CORRUPT', `${key}: is not named as a manifest`);
  return { ...decodeManifest(bytes, id, key), id };
}

function readRecord(bytes: Uint8Array, key: string): ImageRecord {
  const record = decodeImageRecord(bytes, key);
  if (imageRecordKey(record.uuid) === key) return record;
  throw new VarveError('CORRUPT', `${key}: is the record of another image`);
}

function readObjects<T>(
  store: Store,
  prefix: string,
  skipped: string[],
  decode: (bytes: Uint8Array, key: string) => T,
): T[] {
  const objects: T[] = [];
  for (const { key, size } of store.packs.list(prefix)) {
    try {
      const bytes = new Uint8Array(size);
      store.packs.read(key, bytes, 0);
      objects.push(decode(bytes, key));
    } catch (error) {
      if (!isVarveError(error)) throw error;
      skipped.push(error.message);
    }
  }
  return objects;
}

/** Whether all that a snapshot names is in the packs: a crash, or a removal cut off, leaves manifests without. */
function isWhole(store: Store, manifest: FoundManifest, skipped: string[]): boolean {
  const image = manifest.image.name;
  const finder = new DamageFinder(store, new Set());
  const isLost = finder.damageOf({ ...manifest, image }).length > 0;
  if (isLost) skipped.push(`${image}@${manifest.number}: parts of its content are not in the store`);
  return !isLost;
}

function addImages(
  store: Store,
  manifests: readonly FoundManifest[],
  records: readonly ImageRecord[],
  skipped: string[],
): { imageCount: number; snapshotCount: number } {
  const recordsByUuid = new Map(records.map((record) => [record.uuid, record]));
  // An image that was removed, and left manifests, is older than one that has its name now: that one comes first.
  const newestFirst = manifests.toSorted((a, b) => b.time - a.time);
  const images = Map.groupBy(newestFirst, (manifest) => manifest.image.uuid);
  let imageCount = 0;
  let snapshotCount = 0;
  for (const [uuid, all] of images) {
    const record = recordsByUuid.get(uuid);
    const snapshots = oneForEachNumber(all, record, skipped);
    const newest = snapshots.at(-1);
    // All that is left of an image may be a rewriting that was cut off.
    if (newest === undefined) continue;
    const name = freeName(store, record?.name ?? newest.image.name, skipped);
    const nextNumber = Math.max(newest.number + 1, record?.nextNumber ?? 0);
    const imageId = store.catalog.run(
      'INSERT INTO images (uuid, name, created, next_number) VALUES (?, ?, ?, ?)',
      ...[uuid, name, snapshots[0]!.time, nextNumber],
    ).lastId;
    for (const snapshot of snapshots) addSnapshot(store, imageId, snapshot, record?.messages[snapshot.number]);
    addTags(store, imageId, snapshots, record);
    setRewrites(store.catalog, uuid, record?.rewrites ?? rewritesIn(snapshots));
    imageCount += 1;
    snapshotCount += snapshots.length;
  }
  return { imageCount, snapshotCount };
}

/**
 * Of two manifests with one number, one was never reported as done, or was rewritten: the one of an earlier rewriting, or
 * else the older one. Those of a rewriting that was not completed do not count.
 */
function oneForEachNumber(
  manifests: readonly FoundManifest[],
  record: ImageRecord | undefined,
  skipped: string[],
): FoundManifest[] {
  const byNumber = new Map<number, FoundManifest>();
  const completed = record && (record.rewrites ?? []);
  const rank = ({ rewrite }: FoundManifest) => rewriteRank(rewrite, completed) ?? -1;
  for (const manifest of manifests.toSorted((a, b) => rank(a) - rank(b) || a.time - b.time)) {
    if (rank(manifest) < 0) {
      skipped.push(`${hexOf(manifest.id)}: of a rewriting that was not completed`);
      continue;
    }
    const other = byNumber.get(manifest.number);
    if (other !== undefined && rank(other) === rank(manifest)) {
      skipped.push(`${hexOf(other.id)}: another manifest has its number`);
    }
    byNumber.set(manifest.number, manifest);
  }
  return [...byNumber.values()].toSorted((a, b) => a.number - b.number);
}

function freeName(store: Store, recorded: string, skipped: string[]): string {
  const wanted = recorded.normalize('NFC');
  let name = wanted;
  for (let count = 2; store.images.find(name) !== undefined; count += 1) name = `${wanted}-${count}`;
  if (name !== wanted) skipped.push(`${wanted}: two images claim this name; one of them is ${name} now`);
  return name;
}

function addSnapshot(store: Store, imageId: number, manifest: FoundManifest, message: string | undefined): void {
  const { id, number, parent, root, size, time, author, statistics } = manifest;
  store.catalog.run(
    `INSERT INTO snapshots (image, number, id, parent, root, size, time, message, author, described,
       data_length, added_length, stored_length) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ...[imageId, number, id, parent ?? null, root, size, time, message ?? manifest.message, author],
    ...[message === undefined ? 0 : 1, statistics.dataLength, statistics.addedLength, statistics.storedLength],
  );
}

function addTags(
  store: Store,
  imageId: number,
  snapshots: readonly FoundManifest[],
  record: ImageRecord | undefined,
): void {
  const numbers = new Set(snapshots.map(({ number }) => number));
  for (const [tag, number] of Object.entries(record?.tags ?? {})) {
    if (numbers.has(number))
      store.catalog.run('INSERT INTO tags (image, name, number) VALUES (?, ?, ?)', imageId, tag, number);
  }
}

function refuseInUse(path: string): void {
  let catalog: Catalog;
  try {
    catalog = Catalog.open(path);
  } catch (error) {
    if (isVarveError(error, 'CORRUPT', 'NOT_FOUND')) return;
    throw error;
  }
  using _catalog = catalog;
  const [lease] = leasesOf(catalog);
  if (lease === undefined) return;
  throw new VarveError('BUSY', `cannot rebuild the catalog: process ${lease.pid} is at work (${lease.purpose})`);
}

function leasesOf(catalog: Catalog): ReturnType<LeaseTable['living']> {
  try {
    return new LeaseTable(catalog).living();
  } catch (error) {
    if (isVarveError(error, 'CORRUPT', 'IO')) return [];
    throw error;
  }
}

/**
 * Puts the new catalog where the old one was. The old one goes first: without its log it would be an older state that
 * looks whole. Its log must not meet the new one either, so that goes second.
 */
function install(directory: string, fresh: string): void {
  const path = join(directory, catalogFile);
  if (fs.existsSync(path)) removeDatabase(`${path}.old`);
  for (const suffix of ['', '-wal', '-shm']) {
    if (fs.existsSync(path + suffix)) fs.renameSync(path + suffix, `${path}.old${suffix}`);
  }
  fs.renameSync(fresh, path);
  syncDirectory(directory);
}

function removeDatabase(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) removeFile(path + suffix);
}
