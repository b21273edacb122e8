import fs from 'node:fs';
import { VarveError } from '../../base/varve-error.ts';
import type { FileStat, Timestamp } from '../../filesystem/file-system.ts';
import { setExtendedAttribute, setFileTimes } from '../../linux/file-metadata.ts';
import type { GuestFile } from '../guest-tree.ts';
import type { LeftOut } from './left-out.ts';

const isRoot = process.getuid?.() === 0;

/**
 * Gives the file at `path` what a guest's file has besides content: owner, mode, extended attributes with access control
 * lists, times, in the order in which none of them takes another away. Without root the file stays the user's own, does not
 * run as its owner, and has only the attributes that users may give. What its file system does not keep is noted.
 *
 * @throws VarveError `CORRUPT` for attributes that cannot be read; others by errno
 */
export async function giveMetadata(path: Buffer, file: GuestFile, leftOut: LeftOut): Promise<void> {
  const { kind, stat } = file;
  const attributes = await file.fileSystem.extendedAttributes(file.node);
  if (isRoot) fs.chownSync(path, stat.uid, stat.gid);
  if (kind !== 'symlink') fs.chmodSync(path, isRoot ? stat.mode : stat.mode & 0o1777);
  for (const [name, value] of attributes) giveAttribute(path, name, value, leftOut);
  setFileTimes(path, timesOf(stat));
}

function giveAttribute(path: Buffer, name: string, value: Uint8Array, leftOut: LeftOut): void {
  const isAcl = name.startsWith('system.posix_acl_');
  const isForUsers = name.startsWith('user.') || isAcl;
  if (!isAcl && name.startsWith('system.')) return;
  try {
    if (isRoot || isForUsers) setExtendedAttribute(path, name, value);
    else leftOut.note('extended attribute that only root may give');
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
    if (error.code === 'NO_SPACE') throw error;
    leftOut.note(`extended attribute that the target does not take (${name.replace(/\..*/s, '')})`);
  }
}

/** What is not kept counts as now. */
function timesOf({ accessed, modified }: FileStat): { accessed: bigint; modified: bigint } {
  const now = BigInt(Date.now()) * 1_000_000n;
  const nanoseconds = (time: Timestamp) => BigInt(time.seconds) * 1_000_000_000n + BigInt(time.nanoseconds);
  const written = modified === undefined ? now : nanoseconds(modified);
  return { accessed: accessed === undefined ? written : nanoseconds(accessed), modified: written };
}
