import fs from 'node:fs';
import { basename, join } from 'node:path';
import { createDisk } from '../../src/image/create-disk.ts';
import { openWritableDisk } from '../../src/image/file-disk.ts';
import { commitOverlay } from '../../src/image/file-history/commit-overlay.ts';
import { rebaseFile } from '../../src/image/file-history/rebase-file.ts';
import { restoreFile } from '../../src/image/file-history/restore-file.ts';
import { snapshotFile } from '../../src/image/file-history/snapshot-file.ts';

// The process that is killed: file-worker.ts KIND DIRECTORY VERSION COUNT. It does one thing to disk files again and
// again, COUNT times or until it dies, and writes a line before and after each. Version v of a disk is full of byte v.

const [kind, directory, first, count] = process.argv.slice(2) as [string, string, string, string];
const path = (name: string): string => join(directory, name);

function say(...words: (string | number)[]): void {
  fs.writeSync(1, `${words.join(' ')}\n`);
}

async function fill(file: string, version: number): Promise<void> {
  await using disk = await openWritableDisk(file, { follow: true });
  const bytes = new Uint8Array(disk.image.size).fill(version);
  await disk.image.write(bytes, 0);
  await disk.image.flush();
}

/** Merges the next version into the base. */
async function commit(base: string, version: number): Promise<void> {
  const overlay = path('overlay.qcow2');
  await createDisk(overlay, { backing: path(base), force: true });
  await fill(overlay, version);
  say('begin', version);
  await commitOverlay(overlay, { delete: version % 2 === 0 });
}

/** Writes the next version, keeps it, and goes back to one of before and forth again. */
async function keep(version: number): Promise<void> {
  const disk = path('disk.qcow2');
  say('begin', version);
  await fill(disk, version);
  say('written', version);
  const { base } = await snapshotFile(disk);
  await restoreFile(disk, { to: basename(base) });
}

/** Builds on the one base and on the other, and holds the same. */
async function rebase(version: number): Promise<void> {
  say('begin', version);
  await rebaseFile(path('disk.qcow2'), path(version % 2 === 0 ? 'a.qcow2' : 'b.qcow2'));
}

for (let version = Number(first); version < Number(first) + Number(count); version += 1) {
  const byte = (version % 250) + 1;
  if (kind === 'keep') await keep(byte);
  else if (kind === 'rebase') await rebase(byte);
  else await commit(kind, byte);
  say('done', byte);
}
