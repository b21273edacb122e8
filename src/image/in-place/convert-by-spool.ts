import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { formatSize } from '../../base/size.ts';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { log } from '../../log/log.ts';
import { exportDisk } from '../export-disk.ts';
import { type FileDisk, openFileDisk } from '../file-disk.ts';
import type { ImageFileOptions } from '../write-options.ts';
import type { ConversionJournal } from './conversion-journal.ts';
import { exists, giveName, takeSource } from './old-and-new-file.ts';

/** Where a new file is written first, and how. */
export interface SpoolOptions extends ImageFileOptions {
  /** A directory on another file system: on another disk, or in memory. */
  readonly spool: string;
  readonly format: string;
  /** How much of the free space beside the file may be taken, in bytes. */
  readonly room: number;
}

/**
 * Writes the new file into the spool directory, whole and synced; the old one is as it was.
 *
 * @returns its path
 * @throws VarveError `NO_SPACE` where it does not fit there, or would not fit into the place of the old one
 */
export async function writeSpool(disk: FileDisk, options: SpoolOptions): Promise<string> {
  const { format, room, signal, spool } = options;
  const path = join(resolve(spool), `${basename(disk.label).slice(0, 200)}.spool-${randomBytes(4).toString('hex')}`);
  const { clusterSize, compression, formatOptions, parallel } = options;
  await exportDisk(disk, path, { format, clusterSize, compression, formatOptions, parallel, signal });
  try {
    const [old, made] = [await fs.stat(disk.label), await fs.stat(path)];
    if (made.dev === old.dev)
      throw new VarveError(
        'INVALID',
        `${spool} is on the disk file's own file system; leave out --spool, or name another`,
      );
    const [free, needed] = [room + old.blocks * 512, made.blocks * 512];
    if (needed > free) {
      const sizes = `it takes ${formatSize(needed)}, and there would be ${formatSize(free)} without the old file`;
      throw new VarveError('NO_SPACE', `cannot convert ${disk.label} in place: ${sizes}`);
    }
    await fs.chmod(path, old.mode & 0o7777);
    return path;
  } catch (error) {
    await fs.rm(path, { force: true });
    throw systemError(`write ${path}`, error);
  }
}

/**
 * Puts what was spooled into the place of the old file, which goes first. Until the end the spool has the whole disk.
 *
 * @throws VarveError `ABORTED` and whatever else comes between; it can be gone on with then. `NOT_FOUND` where the spool is
 *   gone
 */
export async function finishFromSpool(journal: ConversionJournal, signal: AbortSignal | undefined): Promise<void> {
  const spool = journal.plan.spool ?? '';
  if (!journal.last.done) {
    if (!(await exists(spool)))
      throw new VarveError('NOT_FOUND', `cannot go on: ${spool}, which has the disk, is gone`);
    if (!journal.last.taken) {
      await takeSource(journal);
      await journal.add({ taken: true });
    }
    await fs.rm(journal.file('source'), { force: true });
    log(2, 'the old file is gone');
    await copyBack(spool, journal.file('target'), signal);
    await journal.add({ done: true });
    log(2, 'the new file is there');
  }
  await giveName(journal);
  await journal.remove();
  await fs.rm(spool, { force: true });
}

/** Byte for byte, with its holes, synced. */
async function copyBack(spool: string, target: string, signal: AbortSignal | undefined): Promise<void> {
  await using bytes = await openFileDisk(spool, { format: 'raw' });
  await exportDisk(bytes, target, { format: 'raw', force: true, signal });
  await fs.chmod(target, (await fs.stat(spool)).mode & 0o7777);
}
