import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomHex } from '../../base/random.ts';
import { systemError, VarveError } from '../../base/varve-error.ts';

/** What the kernel takes for the path of a Unix socket, in bytes. Source: unix(7), `sun_path` less its last zero. */
const maximumPathLength = 107;

/**
 * A path for a new control socket, in a directory that only this user can enter: below `XDG_RUNTIME_DIR`, or else below
 * the directory for temporary files. Not in the store, whose path may be too long, or on a file system without sockets.
 * @throws PERMISSION when somebody else made that directory, or may enter it; IO
 */
export function newControlPath(): string {
  const { XDG_RUNTIME_DIR: runtime } = process.env;
  const uid = process.geteuid?.() ?? 0;
  const isOurs = runtime !== undefined && fs.statSync(runtime, { throwIfNoEntry: false })?.uid === uid;
  const own = isOurs ? join(runtime, 'varve') : undefined;
  const name = `${process.pid}-${randomHex(4)}.sock`;
  const directories = [own, join(tmpdir(), `varve-${uid}`), `/tmp/varve-${uid}`].filter((each) => each !== undefined);
  const directory = directories.find((each) => Buffer.byteLength(join(each, name)) <= maximumPathLength);
  if (directory === undefined) throw new VarveError('IO', `cannot listen in ${directories[0]}: the path is too long`);
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    const { mode, uid: owner } = fs.lstatSync(directory);
    if (owner !== uid || (mode & 0o077) !== 0 || !fs.lstatSync(directory).isDirectory()) {
      throw new VarveError('PERMISSION', `cannot listen in ${directory}: others may enter it; chmod 700 it`);
    }
  } catch (cause) {
    throw systemError(`make ${directory}`, cause);
  }
  return join(directory, name);
}
