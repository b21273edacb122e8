import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { systemError, VarveError } from '../../base/varve-error.ts';
import type { ProcessIdentity } from '../../linux/process-identity.ts';
import { requireRunDirectory } from '../run-directory.ts';
import type { AttachAccess, AttachedDiskRequest } from './attached-disk-request.ts';

/** What is kept of an attached disk, as long as it is attached. */
export interface Attachment {
  /** What the user called it; for a file, its full path. */
  readonly disk: string;
  /** How it was opened. */
  readonly request: AttachedDiskRequest;
  /** The file that shows it, or its NBD device, or the directory on which its files are mounted. */
  readonly path: string;
  /** How it is shown as an NBD device; left out for one that is shown otherwise. */
  readonly nbd?: NbdAttachment | undefined;
  /** Which of its files are mounted, by our own readers; left out for one that is shown as a file. */
  readonly files?: MountedFiles | undefined;
  /** The number of the mount of `files`, `0:53`. */
  readonly device?: string | undefined;
  readonly access: AttachAccess;
  /** In bytes; 0 until it is open. */
  readonly size: number;
  /** The process that has it open. */
  readonly holder: ProcessIdentity;
  /** Since when, in milliseconds since 1970. */
  readonly since: number;
  /** Whether it goes when what is mounted from it is unmounted. */
  readonly forMount: boolean;
  /** A process without which it is of no use to anybody. */
  readonly owner?: ProcessIdentity | undefined;
  /** Whether the file is unmounted everywhere, and the disk being closed. */
  readonly closing?: boolean;
  /** What went wrong when its holder closed it. */
  readonly failure?: string;
}

/** A disk that is shown as a block device by the kernel's NBD client. */
export interface NbdAttachment {
  /** By which its connection is known among all of this machine. */
  readonly name: string;
  /** In bytes. */
  readonly sectorSize: number;
}

/** Which files of a disk are mounted by our own readers, and for whom. */
export interface MountedFiles {
  /** The uppermost directory that is seen. */
  readonly inner?: string | undefined;
  /** The number of the partition that holds the file system; what the disk's own system mounts where nothing is given. */
  readonly partition?: number | undefined;
  /** The volume that holds it, as the disk's system calls it: `/dev/vg/root`, `UUID=…`. */
  readonly volume?: string | undefined;
  /** Where in the disk the file system begins, in bytes. */
  readonly offset?: number | undefined;
  /** Whether others than who mounts them may see them. */
  readonly allowOther: boolean;
}

/** A directory of the run directory that belongs to one attachment. */
export interface AttachmentDirectory {
  readonly directory: string;
  /** Left out while somebody is only just making it. */
  readonly attachment: Attachment | undefined;
}

const recordName = 'attachment.json';
/** Nobody attaches so often. */
const maximumNumber = 10_000;

/** The file that shows the disk. */
export function diskPathIn(directory: string): string {
  return join(directory, 'disk');
}

/** Where its holder says what goes wrong. */
export function logPathIn(directory: string): string {
  return join(directory, 'log');
}

/** Makes a directory for a new attachment, named after the disk. @throws VarveError by errno */
export function claimDirectory(runDirectory: string, disk: string): string {
  requireRunDirectory(runDirectory);
  const name =
    basename(disk)
      .replace(/[^\w.@-]+/g, '-')
      .replace(/^[.-]+/, '')
      .slice(0, 64) || 'disk';
  for (let number = 1; number < maximumNumber; number += 1) {
    const directory = join(runDirectory, number === 1 ? name : `${name}-${number}`);
    try {
      mkdirSync(directory, { mode: 0o700 });
      return directory;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw systemError(`make ${directory}`, error);
    }
  }
  throw new VarveError('EXISTS', `cannot attach ${disk}: ${runDirectory} is full of attachments of that name`);
}

/** Writes what is known of an attachment, in one step. @throws VarveError by errno */
export function saveAttachment(directory: string, attachment: Attachment): void {
  const path = join(directory, recordName);
  const draft = `${path}.${process.pid}`;
  try {
    writeFileSync(draft, `${JSON.stringify(attachment, null, 2)}\n`, { mode: 0o600 });
    renameSync(draft, path);
  } catch (error) {
    throw systemError(`write ${path}`, error);
  }
}

/** All attachments, those of dead holders among them, by name. */
export function attachmentDirectories(runDirectory: string): AttachmentDirectory[] {
  return namesIn(runDirectory).map((name) => {
    const directory = join(runDirectory, name);
    return { directory, attachment: readAttachment(directory) };
  });
}

/** What is known of an attachment; undefined where nothing is. */
export function readAttachment(directory: string): Attachment | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, recordName), 'utf8')) as Attachment;
  } catch {
    return undefined;
  }
}

/** Forgets an attachment whose disk is mounted no more. */
export function removeAttachment(directory: string): void {
  // Not recursive: what is mounted in it must never be taken for files of ours.
  for (const name of namesIn(directory)) rmSync(join(directory, name), { force: true });
  rmSync(directory, { recursive: true, force: true });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}
