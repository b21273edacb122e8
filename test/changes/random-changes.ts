import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { seededRandom } from '../../src/filter/seeded-random.ts';

/** Numbers below a bound, the same ones for the same seed. */
export type Chance = (bound: number) => number;

/** @param seed a whole number */
export function chanceOf(seed: number): Chance {
  const random = seededRandom(seed);
  return (bound) => Math.floor(random() * bound);
}

type Change = (directory: string, chance: Chance) => void;

/** What people and programs do to files; each does it to files that it picks, if there are any. */
const changes: readonly Change[] = [
  (top, chance) => fs.writeFileSync(newName(top, chance), content(chance, 20_000)),
  (top, chance) => fs.writeFileSync(newName(top, chance), content(chance, 400)),
  (top, chance) => fs.mkdirSync(newName(top, chance)),
  (top, chance) => fs.symlinkSync('x'.repeat(1 + chance(150)), newName(top, chance)),
  (top, chance) => withFile(top, chance, (path) => fs.appendFileSync(path, content(chance, 9000))),
  (top, chance) => withFile(top, chance, (path) => overwrite(path, chance)),
  (top, chance) => withFile(top, chance, (path) => fs.truncateSync(path, chance(30_000))),
  (top, chance) => withFile(top, chance, (path) => fs.rmSync(path)),
  (top, chance) => withFile(top, chance, (path) => fs.chmodSync(path, chance(0o1000))),
  (top, chance) => withFile(top, chance, (path) => fs.chownSync(path, chance(100_000), chance(5))),
  (top, chance) => withFile(top, chance, (path) => fs.utimesSync(path, chance(2 ** 31), chance(2 ** 31))),
  (top, chance) => withFile(top, chance, (path) => fs.linkSync(path, newName(top, chance))),
  (top, chance) => withFile(top, chance, (path) => fs.renameSync(path, newName(top, chance))),
  (top, chance) => withFile(top, chance, (path) => replace(path, chance)),
  (top, chance) => withFile(top, chance, (path) => spawnSync('cp', ['--reflink=auto', path, newName(top, chance)])),
  (top, chance) => withFile(top, chance, (path) => setAttribute(path, chance)),
  (top, chance) => withDirectory(top, chance, (path) => moveDirectory(path, newName(top, chance))),
  (top, chance) => withDirectory(top, chance, (path) => fs.chmodSync(path, 0o700 | chance(0o100))),
  (top, chance) => withDirectory(top, chance, (path) => setAttribute(path, chance)),
  (top, chance) =>
    chance(4) > 0 ? undefined : withDirectory(top, chance, (path) => fs.rmSync(path, { recursive: true })),
  (top, chance) => (chance(4) > 0 ? undefined : crowd(newName(top, chance), 150)),
];

/** Makes `count` random changes below a directory. */
export function changeRandomly(directory: string, chance: Chance, count: number): void {
  for (let done = 0; done < count; done++) changes[chance(changes.length)]!(directory, chance);
}

/** A tree to begin with. */
export function makeTree(directory: string, chance: Chance): void {
  for (const name of ['etc', 'usr', 'usr/bin', 'usr/share', 'usr/share/doc', 'var', 'var/log', 'srv']) {
    fs.mkdirSync(join(directory, name));
    for (let index = 0; index < 6; index++) fs.writeFileSync(newName(directory, chance), content(chance, 15_000));
  }
  crowd(join(directory, 'usr/share/crowd'), 200);
  fs.writeFileSync(join(directory, 'large'), content(chance, 3_000_000));
}

function crowd(path: string, count: number): void {
  fs.mkdirSync(path);
  for (let index = 0; index < count; index++)
    fs.writeFileSync(join(path, `file with a longer name ${index}`), `${index}`);
}

function content(chance: Chance, most: number): Buffer {
  return Buffer.from(Array.from({ length: Math.ceil(chance(most) / 8) }, () => `${chance(9999999)}\n`).join(''));
}

function overwrite(path: string, chance: Chance): void {
  const { size, atime, mtime } = fs.statSync(path);
  const fd = fs.openSync(path, 'r+');
  fs.writeSync(fd, content(chance, 3000), 0, undefined, chance(size + 1));
  fs.closeSync(fd);
  if (chance(2) === 0) fs.utimesSync(path, atime, mtime);
}

function replace(path: string, chance: Chance): void {
  fs.writeFileSync(`${path}.new`, content(chance, 12_000));
  fs.renameSync(`${path}.new`, path);
}

function setAttribute(path: string, chance: Chance): void {
  const value = 'v'.repeat(1 + chance(chance(4) === 0 ? 700 : 60));
  // Where there is no more room for any, it stays as it was.
  spawnSync('setfattr', ['-n', `user.name${chance(3)}`, '-v', value, path]);
}

function moveDirectory(path: string, target: string): void {
  if (!`${target}/`.startsWith(`${path}/`)) fs.renameSync(path, target);
}

function withFile(top: string, chance: Chance, use: (path: string) => void): void {
  const files = list(top, (entry) => entry.isFile());
  if (files.length > 0) use(files[chance(files.length)]!);
}

function withDirectory(top: string, chance: Chance, use: (path: string) => void): void {
  const directories = list(top, (entry) => entry.isDirectory());
  if (directories.length > 0) use(directories[chance(directories.length)]!);
}

function newName(top: string, chance: Chance): string {
  const directories = [top, ...list(top, (entry) => entry.isDirectory())];
  return join(directories[chance(directories.length)]!, `n${chance(1e9)}`);
}

function list(top: string, isWanted: (entry: fs.Dirent) => boolean): string[] {
  const entries = fs.readdirSync(top, { recursive: true, withFileTypes: true }).filter(isWanted);
  const paths = entries.map(({ parentPath, name }) => join(parentPath, name));
  return paths.filter((path) => !path.startsWith(join(top, 'lost+found'))).sort();
}
