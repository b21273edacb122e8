import fs from 'node:fs';
import { isVarveError, systemError, VarveError } from '../../base/varve-error.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = fs.constants;
/** Source: Linux, include/uapi/asm-generic/fcntl.h; Node has no name for it. */
const pathOnly = 0o10_000_000;

/**
 * A directory of this machine that is open. Whatever happens to the names on the way to it, what is made in it is made in
 * it: its files are named from its descriptor on (`/proc/self/fd/N/name`), as openat(2) would, and never followed.
 */
export class TargetDirectory implements Disposable {
  readonly #fd: number;
  #isOpen = true;
  /** For errors. */
  readonly label: string;

  private constructor(fd: number, label: string) {
    this.#fd = fd;
    this.label = label;
  }

  /** Opens a directory by a path of the user's, which may lead over symlinks. @throws VarveError by errno; `UNSUPPORTED` without Linux */
  static open(path: string): TargetDirectory {
    if (process.platform !== 'linux' || !fs.existsSync('/proc/self/fd')) {
      throw new VarveError(
        'UNSUPPORTED',
        'cannot copy files out of a disk here: that needs Linux, with /proc; tar does not',
      );
    }
    try {
      return new TargetDirectory(fs.openSync(path, O_RDONLY | O_DIRECTORY), path);
    } catch (error) {
      throw systemError(`copy to ${path}`, error);
    }
  }

  /** The path by which this process finds a file of this directory, which holds while it is open. */
  pathOf(name: Uint8Array): Buffer {
    return Buffer.concat([Buffer.from(`/proc/self/fd/${this.#fd}/`), name]);
  }

  /** The path by which this process finds the directory itself. */
  get ownPath(): Buffer {
    return Buffer.from(`/proc/self/fd/${this.#fd}`);
  }

  /** Opens a directory in this one. @throws VarveError `EXISTS` for a file or symlink; others by errno */
  enter(name: Uint8Array): TargetDirectory {
    const label = this.labelOf(name);
    try {
      return new TargetDirectory(fs.openSync(this.pathOf(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW), label);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ELOOP' && code !== 'ENOTDIR') throw systemError(`enter ${label}`, error);
      throw new VarveError('EXISTS', `cannot make the directory ${label}: something else is there`, { cause: error });
    }
  }

  /** Makes a directory in this one, that only its owner can enter for now. False where something is there already. */
  make(name: Uint8Array): boolean {
    return this.#unlessThere(name, 'make', () => fs.mkdirSync(this.pathOf(name), 0o700));
  }

  /** Makes a symlink. False where something is there already. */
  link(name: Uint8Array, target: Uint8Array): boolean {
    return this.#unlessThere(name, 'make', () => fs.symlinkSync(Buffer.from(target), this.pathOf(name)));
  }

  /** Gives a file of some directory another name in this one. False where something is there already. */
  addName(name: Uint8Array, from: TargetDirectory, fromName: Uint8Array): boolean {
    return this.#unlessThere(name, 'link', () => fs.linkSync(from.pathOf(fromName), this.pathOf(name)));
  }

  /** Calls `make`, which makes a file of some kind at a path. False where something is there already. */
  makeBy(name: Uint8Array, make: (path: Buffer) => void): boolean {
    return this.#unlessThere(name, 'make', () => make(this.pathOf(name)));
  }

  /** Takes a name away that is no directory's. @throws VarveError by errno */
  remove(name: Uint8Array): void {
    try {
      fs.unlinkSync(this.pathOf(name));
    } catch (error) {
      throw systemError(`replace ${this.labelOf(name)}`, error);
    }
  }

  /** Which file of its file system a name stands for, symlinks themselves. */
  identityOf(name: Uint8Array): string {
    const { dev, ino } = fs.lstatSync(this.pathOf(name), { bigint: true });
    return `${dev}:${ino}`;
  }

  /** Calls `use` with a path to a file of this directory that stays this file's, whoever gives its name to another meanwhile. */
  async withFile(name: Uint8Array, use: (path: Buffer) => Promise<void>): Promise<void> {
    const fd = fs.openSync(this.pathOf(name), pathOnly | O_NOFOLLOW);
    try {
      await use(Buffer.from(`/proc/self/fd/${fd}`));
    } finally {
      fs.closeSync(fd);
    }
  }

  /** What messages call a file of this directory. */
  labelOf(name: Uint8Array): string {
    return `${this.label === '/' ? '' : this.label}/${Buffer.from(name).toString()}`;
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) fs.closeSync(this.#fd);
    this.#isOpen = false;
  }

  #unlessThere(name: Uint8Array, doing: string, make: () => void): boolean {
    try {
      make();
      return true;
    } catch (error) {
      const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST' || isVarveError(error, 'EXISTS');
      if (isThere) return false;
      throw systemError(`${doing} ${this.labelOf(name)}`, error);
    }
  }
}
