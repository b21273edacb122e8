import fs from 'node:fs';
import { join } from 'node:path';
import { systemError } from '../../base/varve-error.ts';
import { openFileDevice } from '../../block/file-device.ts';
import { syncDirectory } from '../directory-pack-store.ts';
import { encodeMapHeader, type MapHeader, mapLength } from './map-header.ts';
import { OverlayLayer } from './overlay-layer.ts';

const folder = 'overlays';

/** The directory of an overlay. */
export function overlayPath(storePath: string, id: string): string {
  return join(storePath, folder, id);
}

/** Makes the files of an empty overlay, durably; a record is still to come. @throws NO_SPACE, IO */
export function createOverlayFiles(storePath: string, header: MapHeader): void {
  const path = overlayPath(storePath, header.id);
  try {
    fs.mkdirSync(path, { recursive: true });
    writeSynced(join(path, 'data'), new Uint8Array(0), header.size);
    writeSynced(join(path, 'map'), encodeMapHeader(header), mapLength(header.size));
    syncDirectory(path);
    syncDirectory(join(storePath, folder));
    // The folder of all overlays may be new.
    syncDirectory(storePath);
  } catch (cause) {
    throw systemError(`make the overlay ${path}`, cause);
  }
}

/** An overlay to be made: its header, and its record (`overlay-record.ts`). */
export interface NewOverlay {
  readonly header: MapHeader;
  readonly record: Uint8Array;
}

/**
 * Makes the files of several empty overlays, with their records, durably. All are written before any is synced: then one sync
 * does the most of all of them. Outside of a transaction; so the caller holds garbage collection off, by an `ingest` lease.
 * @throws NO_SPACE, IO
 */
export function createOverlays(storePath: string, overlays: readonly NewOverlay[]): void {
  if (overlays.length === 0) return;
  const files: number[] = [];
  try {
    for (const { header, record } of overlays) {
      const path = overlayPath(storePath, header.id);
      fs.mkdirSync(path, { recursive: true });
      files.push(writeOpen(join(path, 'data'), new Uint8Array(0), header.size));
      files.push(writeOpen(join(path, 'map'), encodeMapHeader(header), mapLength(header.size)));
      files.push(writeOpen(join(path, 'overlay.json'), record, record.length));
    }
    for (const file of files) fs.fsyncSync(file);
    for (const { header } of overlays) syncDirectory(overlayPath(storePath, header.id));
    syncDirectory(join(storePath, folder));
    syncDirectory(storePath);
  } catch (cause) {
    for (const { header } of overlays) removeOverlayFiles(storePath, header.id);
    throw systemError(`make ${overlays.length} overlays in ${join(storePath, folder)}`, cause);
  } finally {
    for (const file of files) fs.closeSync(file);
  }
}

/** The file, which stays open. */
function writeOpen(path: string, start: Uint8Array, length: number): number {
  const file = fs.openSync(path, 'wx', 0o600);
  try {
    fs.writeSync(file, start);
    fs.ftruncateSync(file, length);
    return file;
  } catch (error) {
    fs.closeSync(file);
    throw error;
  }
}

function writeSynced(path: string, start: Uint8Array, length: number): void {
  const file = writeOpen(path, start, length);
  try {
    fs.fsyncSync(file);
  } finally {
    fs.closeSync(file);
  }
}

/** Opens an overlay. @throws NOT_FOUND, CORRUPT, UNSUPPORTED, IO */
export async function openOverlay(
  storePath: string,
  id: string,
  options: { readonly readOnly?: boolean } = {},
): Promise<OverlayLayer> {
  const path = overlayPath(storePath, id);
  await using stack = new AsyncDisposableStack();
  const data = stack.use(await openFileDevice(join(path, 'data'), options));
  const map = stack.use(await openFileDevice(join(path, 'map'), options));
  const layer = await OverlayLayer.open({ data, map }, path);
  stack.move();
  return layer;
}

/** Deletes an overlay's files; what is not there is fine, and who has them open goes on reading. @throws IO */
export function removeOverlayFiles(storePath: string, id: string): void {
  const path = overlayPath(storePath, id);
  try {
    fs.rmSync(path, { recursive: true, force: true });
  } catch (cause) {
    throw systemError(`delete ${path}`, cause);
  }
}

/** What lies in the folder of overlays, by name, and the bytes that it takes there. */
export function* listOverlayFiles(storePath: string): Iterable<{ readonly name: string; readonly size: number }> {
  for (const name of namesIn(join(storePath, folder))) {
    const path = join(storePath, folder, name);
    const files = namesIn(path).map((file) => join(path, file));
    yield { name, size: [path, ...files].reduce((sum, each) => sum + allocated(each), 0) };
  }
}

/** What an overlay takes on disk, in bytes. */
export function overlayLength(storePath: string, id: string): number {
  return allocated(join(overlayPath(storePath, id), 'data'));
}

function allocated(path: string): number {
  return (fs.statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
}

function namesIn(path: string): string[] {
  try {
    return fs.readdirSync(path);
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) return [];
    throw systemError(`list ${path}`, cause);
  }
}
