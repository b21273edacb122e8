import fs from 'node:fs/promises';
import { join } from 'node:path';
import { systemError, VarveError } from '../../base/varve-error.ts';

/** The ciphers that go with keys known to both sides, the ones with forward secrecy first, for TLS 1.2 and 1.3. */
export const pskCiphers = [
  'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-PSK-CHACHA20-POLY1305:DHE-PSK-AES256-GCM-SHA384:DHE-PSK-AES128-GCM-SHA256:DHE-PSK-CHACHA20-POLY1305',
].join(':');

/** The certificates of one side. */
export interface TlsCertificates {
  /** Of whom the other side's certificate has to be. */
  readonly ca: Buffer | undefined;
  readonly certificate: Buffer | undefined;
  readonly key: Buffer | undefined;
}

/**
 * Reads the certificates of a directory, which has them under the names that QEMU, libnbd and nbdkit use:
 * `ca-cert.pem`, and `server-cert.pem` and `server-key.pem`, or `client-…`.
 *
 * @throws VarveError by errno, other than for files that are not there
 */
export async function readCertificates(directory: string, side: 'server' | 'client'): Promise<TlsCertificates> {
  const read = async (name: string): Promise<Buffer | undefined> => {
    const path = join(directory, name);
    try {
      return await fs.readFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw systemError(`read ${path}`, error);
    }
  };
  await fs.readdir(directory).catch((error) => {
    throw systemError(`read ${directory}`, error);
  });
  return {
    ca: await read('ca-cert.pem'),
    certificate: await read(`${side}-cert.pem`),
    key: await read(`${side}-key.pem`),
  };
}

/**
 * Reads keys that both sides know, by user: lines of `user:key`, the key in hexadecimal, as GnuTLS's psktool writes them.
 *
 * @throws VarveError `INVALID` for other lines, or none, and by errno
 */
export async function readPskFile(path: string): Promise<ReadonlyMap<string, Buffer>> {
  const text = await fs.readFile(path, 'utf8').catch((error) => {
    throw systemError(`read ${path}`, error);
  });
  const keys = new Map<string, Buffer>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, user, key] = /^([^:]{1,128}):((?:[0-9a-f]{2}){16,64})\s*$/i.exec(line) ?? [];
    if (user === undefined || key === undefined) {
      throw new VarveError(
        'INVALID',
        `${path}: line ${index + 1} is not user:key, with a key of 16 to 64 bytes in hexadecimal`,
      );
    }
    keys.set(user, Buffer.from(key, 'hex'));
  }
  if (keys.size === 0) throw new VarveError('INVALID', `${path}: there is no key in it`);
  return keys;
}
