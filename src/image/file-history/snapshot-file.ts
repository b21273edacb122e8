import fs from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { VarveError } from '../../base/varve-error.ts';
import { openFileDevice } from '../../block/file-device.ts';
import { formatForPath } from '../../format/formats.ts';
import { log } from '../../log/log.ts';
import { completeNote, type SnapshotDetails } from '../snapshot-details.ts';
import { type FindChildrenOptions, requireNoChildren } from './children.ts';
import {
  addName,
  makeReadOnly,
  placeNew,
  type SecondName,
  syncDirectory,
  takePlace,
  writeBeside,
} from './file-places.ts';
import { type ImageFile, readImageFile } from './image-file.ts';
import { type BaseNote, backingReference, overlayBase, writeOverlay } from './overlay-file.ts';
import { registerOverlay } from './register.ts';

/** How a snapshot of a disk file is made. */
export interface SnapshotFileOptions extends SnapshotDetails, FindChildrenOptions {
  /** The name that what is in the file now gets, in the same directory; one with the date where nothing is given. */
  readonly as?: string | undefined;
  /** The name of the overlay, in the same directory; the file's own where nothing is given. */
  readonly overlay?: string | undefined;
  /** The name of the file's format; its content shows it where nothing is given. */
  readonly format?: string | undefined;
  /** Also where other files build on this one, which damages them once it is written to. */
  readonly force?: boolean | undefined;
}

/** A disk file that was taken apart; absolute paths. */
export interface FileSnapshot {
  /** What the disk held, read-only from now on. */
  readonly base: string;
  /** Where the disk is, and what is written from now on goes to. */
  readonly overlay: string;
  /** Of the base. */
  readonly format: string;
  /** Of the disk, in bytes. */
  readonly size: number;
}

/**
 * Keeps what a disk file holds: the file gets another name and is made read-only, and an empty overlay that builds on
 * it takes its place. That costs the same for any size. A kill at any moment leaves the disk under its name with its
 * content, before the snapshot or after it; before it, the file may have its second name already, which the next
 * snapshot finds and uses.
 *
 * @throws VarveError `BUSY` where other files build on this one, or somebody writes to it, `EXISTS` for a name that is
 *   taken, `INVALID` where the overlay's name would say that it is something else, and what reading the file throws
 */
export async function snapshotFile(path: string, options: SnapshotFileOptions = {}): Promise<FileSnapshot> {
  return await log.scope(`snapshot ${path}`, async () => {
    const image = await readImageFile(path, options.format);
    if (image.information.encryption !== undefined) throw encryptedError(path);
    const overlay = join(dirname(image.path), overlayName(path, image, options.overlay));
    await using _lock = await openFileDevice(image.path, { readOnly: true, lock: true, label: path });
    if (options.force !== true) await requireNoChildren(image.path, `snapshot ${path}`, options);
    return await takeApart(image, overlay, options);
  });
}

async function takeApart(image: ImageFile, overlay: string, options: SnapshotFileOptions): Promise<FileSnapshot> {
  const note = completeNote(options, '');
  const name = await addName(image.path, options.as, note.time);
  try {
    await putOverlay(image, name, overlay, note);
  } catch (error) {
    await name.undo();
    throw error;
  }
  await makeReadOnly(name.path);
  if (options.register !== undefined) await registerOverlay(options.register, { overlay, base: name.path });
  const { format, virtualSize } = image.information;
  return { base: name.path, overlay, format, size: virtualSize };
}

/** Puts a new overlay into the place of the file that has a second name now. */
async function putOverlay(image: ImageFile, name: SecondName, overlay: string, note: BaseNote): Promise<void> {
  const { path, information } = image;
  const backing = backingReference(dirname(path), image, name.path);
  const base = await overlayBase(name.path, backing, note);
  const temporary = await writeBeside(overlay, await fs.stat(path), (file) =>
    writeOverlay(file, overlay, information.virtualSize, base),
  );
  if (overlay === path) return await takePlace(temporary, path);
  await placeNew(temporary, overlay);
  await fs.unlink(path);
  await syncDirectory(dirname(path));
}

/**
 * The name of the overlay in its directory. An overlay is a qcow2 image: under a name that says otherwise, whoever goes
 * by the name would take its header for the start of the disk.
 */
function overlayName(path: string, image: ImageFile, given: string | undefined): string {
  const name = given ?? basename(image.path);
  const { format } = image.information;
  if (name.includes('/'))
    throw new VarveError('INVALID', `the overlay has to be beside ${path}: ${name} is no plain name`);
  const isNamedSo = formatForPath(name)?.name === 'qcow2';
  if (isNamedSo || (format === 'qcow2' && given === undefined)) return name;
  const stem = basename(image.path, extname(image.path));
  const what = `an overlay is a qcow2 image, which ${JSON.stringify(name)} does not say`;
  const advice = `give --overlay ${stem}.qcow2, and let whoever uses the disk use that file`;
  throw new VarveError('INVALID', `cannot snapshot ${path}: ${what}; ${advice}`);
}

function encryptedError(path: string): VarveError {
  const why = 'it is encrypted, and an overlay would hold what is written from now on in the clear';
  return new VarveError('UNSUPPORTED', `cannot snapshot ${path}: ${why}`);
}
