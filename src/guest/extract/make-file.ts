import fs from 'node:fs';
import { systemError } from '../../base/varve-error.ts';
import { makeNode } from '../../linux/file-metadata.ts';
import { dataRunsOf } from '../data-runs.ts';
import { piecesOf } from '../file-pieces.ts';
import type { GuestFile } from '../guest-tree.ts';
import type { ExtractSummary } from './extract-files.ts';
import { giveMetadata } from './give-metadata.ts';
import type { LeftOut } from './left-out.ts';
import type { TargetDirectory } from './target-directory.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = fs.constants;
const isRoot = process.getuid?.() === 0;

/** What is to be made, and where. */
export interface NewFile {
  readonly directory: TargetDirectory;
  readonly file: GuestFile;
  readonly name: Uint8Array;
  readonly leftOut: LeftOut;
  readonly summary: ExtractSummary;
}

/** How it went: `there` where the name is taken. */
export type MakeOutcome = 'made' | 'there' | 'left out';

/** Makes a file that is no directory as a guest's is, whole or not at all. @throws VarveError `CORRUPT`, others by errno */
export async function makeFile(wanted: NewFile): Promise<MakeOutcome> {
  const { directory, file, leftOut, name, summary } = wanted;
  const { kind, stat } = file;
  if (kind === 'file') return await makeRegularFile(wanted);
  if (kind === 'symlink') {
    if (!directory.link(name, await file.fileSystem.readLink(file.node))) return 'there';
    summary.symlinks += 1;
  } else {
    if ((kind === 'block' || kind === 'character') && !isRoot) {
      leftOut.note('device, which only root may make');
      return 'left out';
    }
    const make = (path: Buffer) => makeNode(path, kind === 'directory' ? 'fifo' : kind, stat.device);
    if (!directory.makeBy(name, make)) return 'there';
    summary.others += 1;
  }
  await directory.withFile(name, (path) => giveMetadata(path, file, leftOut));
  return 'made';
}

async function makeRegularFile({ directory, file, leftOut, name, summary }: NewFile): Promise<MakeOutcome> {
  let fd = -1;
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
  const open = (path: Buffer) => {
    fd = fs.openSync(path, flags, 0o600);
  };
  if (!directory.makeBy(name, open)) return 'there';
  try {
    await fillFile(fd, file, summary);
    await giveMetadata(Buffer.from(`/proc/self/fd/${fd}`), file, leftOut);
  } catch (error) {
    directory.remove(name);
    throw systemError(`write ${directory.labelOf(name)}`, error);
  } finally {
    fs.closeSync(fd);
  }
  summary.files += 1;
  return 'made';
}

const buffer = new Uint8Array(1 << 20);

/** Writes what a file holds into one that is open and empty, and leaves its holes. @throws VarveError `CORRUPT`, by errno */
export async function fillFile(fd: number, file: GuestFile, summary: ExtractSummary): Promise<void> {
  const { size } = file.stat;
  if (size === 0) return;
  const { runs } = await dataRunsOf(file);
  for (const run of runs) {
    for await (const { bytes, offset } of piecesOf(file, run, buffer)) {
      for (let done = 0; done < bytes.length; )
        done += fs.writeSync(fd, bytes, done, bytes.length - done, offset + done);
      summary.dataLength += bytes.length;
    }
  }
  const last = runs.at(-1);
  if (last === undefined || last.offset + last.length < size) fs.ftruncateSync(fd, size);
}
