import fs from 'node:fs';
import { systemError, VarveError } from '../../base/varve-error.ts';
import type { ChapSecrets } from '../../protocol/iscsi/chap.ts';
import type { ChapLogin } from './menus/root-place.ts';
import type { ChapSettings } from './room/room.ts';

/** In bytes. Source: RFC 7143, section 9.2.1 (96 bits). */
const shortestSecret = 12;

/**
 * The secrets by which machines and iSCSI targets know each other, as a room has them.
 *
 * @throws VarveError `INVALID` for one that is too short, and what reading the files throws
 */
export function readChapLogin(settings: ChapSettings | undefined): ChapLogin | undefined {
  if (settings === undefined) return undefined;
  const { mutualSecretFile, mutualUser, secretFile, user } = settings;
  const secret = readSecret(secretFile);
  if (mutualUser === undefined || mutualSecretFile === undefined) return { user, secret };
  const mutualSecret = readSecret(mutualSecretFile);
  if (mutualSecret === secret) {
    throw new VarveError(
      'INVALID',
      `${mutualSecretFile}: the secret is that of ${secretFile}; an impostor could answer`,
    );
  }
  return { user, secret, mutualUser, mutualSecret };
}

/** The same, as a target has them. */
export function targetSecrets({ mutualSecret, mutualUser, secret, user }: ChapLogin): ChapSecrets {
  const initiators = new Map([[user, secret]]);
  if (mutualUser === undefined || mutualSecret === undefined) return { initiators };
  return { initiators, target: { name: mutualUser, secret: mutualSecret } };
}

function readSecret(path: string): string {
  let text: string;
  try {
    text = fs.readFileSync(path, 'utf8');
  } catch (error) {
    throw systemError(`read the secret ${path}`, error);
  }
  const [secret = ''] = text.split(/\r?\n/);
  if (Buffer.byteLength(secret) >= shortestSecret) return secret;
  throw new VarveError('INVALID', `${path}: its first line is no secret; it needs ${shortestSecret} bytes or more`);
}
