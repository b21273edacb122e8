import fs from 'node:fs';
import { systemError, VarveError } from '../../base/varve-error.ts';

/** Somebody who may own files. */
interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Who a server is: root as long as it opens what only root may open, and all the time else, and for good when that is done,
 * the user whom its files belong to.
 */
export class Privileges {
  readonly #user: User | undefined;

  private constructor(user: User | undefined) {
    this.#user = user;
  }

  /**
   * Goes on as `user`, or as the one whom `path` belongs to, in all that is not done by `asRoot`. Where we are not root, or it is
   * root's, we stay who we are.
   *
   * @throws VarveError `NOT_FOUND` for a user that is not there, `PERMISSION`
   */
  static take(user: string | undefined, path: string): Privileges {
    if (process.getuid?.() !== 0) {
      if (user === undefined) return new Privileges(undefined);
      throw new VarveError('PERMISSION', `cannot go on as ${user}: only root can; leave --user out`);
    }
    const owner = user === undefined ? ownerOf(path) : userNamed(user);
    const privileges = new Privileges(owner?.uid === 0 ? undefined : owner);
    privileges.#step();
    return privileges;
  }

  /** Whom the server is most of the time; undefined where it stays who it is. */
  get user(): string | undefined {
    return this.#user?.name;
  }

  /** Runs what needs root. Nothing else may go on meanwhile that makes files. */
  async asRoot<T>(run: () => Promise<T>): Promise<T> {
    if (this.#user === undefined) return await run();
    process.seteuid?.(0);
    process.setegid?.(0);
    try {
      return await run();
    } finally {
      this.#step();
    }
  }

  /** Gives up being root, and every way back. */
  drop(): void {
    const user = this.#user;
    if (user === undefined) return;
    try {
      process.seteuid?.(0);
      process.setgroups?.([user.gid]);
      process.setgid?.(user.gid);
      process.setuid?.(user.uid);
    } catch (cause) {
      throw new VarveError('PERMISSION', `cannot go on as ${user.name}: ${(cause as Error).message}`, { cause });
    }
  }

  #step(): void {
    if (this.#user === undefined) return;
    process.setegid?.(this.#user.gid);
    process.seteuid?.(this.#user.uid);
  }
}

/** Undefined where there is nothing at a path. */
function ownerOf(path: string): User | undefined {
  const stats = fs.statSync(path, { throwIfNoEntry: false });
  return stats && { name: nameOf(stats.uid), uid: stats.uid, gid: stats.gid };
}

function userNamed(name: string): User {
  const fields = accounts().find(([first, , uid]) => first === name || uid === name);
  if (fields === undefined) throw new VarveError('NOT_FOUND', `there is no user ${name} on this machine`);
  return { name: fields[0]!, uid: Number(fields[2]), gid: Number(fields[3]) };
}

function nameOf(uid: number): string {
  return accounts().find((fields) => fields[2] === String(uid))?.[0] ?? String(uid);
}

function accounts(): string[][] {
  try {
    return fs
      .readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
  } catch (error) {
    throw systemError('read /etc/passwd', error);
  }
}
