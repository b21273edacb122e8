import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasProgram, run } from './program.ts';
import { workDirectory } from './work-directory.ts';

const release = 'bookworm';
const diskSize = '2G';
const wantedBytes = 220 * 1024 * 1024;

/**
 * A raw disk of 2 GiB: ext4, made by `mke2fs -d` from the Debian root that `debootstrap --variant=minbase` makes,
 * some 200 MiB of files. It is made once. Where debootstrap cannot run (it needs root and a mirror), it holds as much
 * of this machine's /usr, and says so.
 */
export function debianDisk(): { path: string; origin: string } {
  mkdirSync(workDirectory, { recursive: true });
  const path = join(workDirectory, 'debian.raw');
  const substitute = join(workDirectory, 'usr.raw');
  if (existsSync(path)) return { path, origin: `a Debian ${release} root by debootstrap` };
  if (!existsSync(substitute)) {
    const root = join(workDirectory, 'debian');
    if (bootstrap(root)) {
      makeDisk(root, path);
      return { path, origin: `a Debian ${release} root by debootstrap` };
    }
    const tree = join(workDirectory, 'usr');
    copySome('/usr', tree);
    makeDisk(tree, substitute);
  }
  return { path: substitute, origin: "part of this machine's /usr, as debootstrap could not run" };
}

function bootstrap(root: string): boolean {
  if (process.getuid?.() !== 0 || !hasProgram('debootstrap')) return false;
  console.error(`making a Debian root (debootstrap --variant=minbase ${release}), once …`);
  const { status } = spawnSync('debootstrap', ['--variant=minbase', release, root], { stdio: 'ignore' });
  if (status !== 0) rmSync(root, { recursive: true, force: true });
  return status === 0;
}

function makeDisk(root: string, path: string): void {
  const growing = `${path}.new`;
  rmSync(growing, { force: true });
  run(['mke2fs', '-q', '-t', 'ext4', '-L', 'root', '-d', root, growing, diskSize]);
  run(['sync', growing]);
  renameSync(growing, path);
  rmSync(root, { recursive: true, force: true });
}

/** Copies files in the order of their names until there are enough. */
function copySome(from: string, to: string, copied = { bytes: 0 }): void {
  mkdirSync(to, { recursive: true });
  const names = readdirSync(from).sort();
  for (const name of names) {
    if (copied.bytes >= wantedBytes) return;
    const source = join(from, name);
    const stats = lstatSync(source);
    if (stats.isDirectory()) copySome(source, join(to, name), copied);
    else if (stats.isFile()) {
      cpSync(source, join(to, name));
      copied.bytes += stats.size;
    }
  }
}
