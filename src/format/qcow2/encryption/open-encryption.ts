/*
 * Source: QEMU docs/interop/qcow2.txt, fields crypt_method and "Full disk encryption header pointer", section "Data
 * encryption".
 */
import { VarveError } from '../../../base/varve-error.ts';
import type { BlockDevice } from '../../../block/block-device.ts';
import { type SectorCipher, sectorCipher } from '../../../luks/sector-cipher.ts';
import { openLuks1 } from '../../../luks/unlock-luks1.ts';
import type { AskSecret, OpenImageOptions } from '../../image-format.ts';
import type { Qcow2Header } from '../header.ts';
import type { ClusterCipher } from './encrypted-data.ts';
import { encryptionHeaderOf } from './encryption-header.ts';

const sectorLength = 512;
/** Of the older method, AES with 128 bits, in bytes: as many of the passphrase are its key. */
const aesKeyLength = 16;

/**
 * The cipher of an image's clusters, by the secret that the caller gives.
 *
 * @throws VarveError `PERMISSION` where there is no secret or not the right one, `CORRUPT`, `UNSUPPORTED`
 */
export async function openEncryption(
  file: BlockDevice,
  header: Qcow2Header,
  { askSecret, name }: Pick<OpenImageOptions, 'name' | 'askSecret'>,
): Promise<ClusterCipher> {
  const place = encryptionHeaderOf(header, file.size, name);
  if (place === undefined) return aesCipher(await secretFor(name, askSecret));
  const locked = await openLuks1(file, { ...place, name });
  return byHostOffset(await locked.unlock(await secretFor(name, askSecret)));
}

/** The older method cannot tell a wrong passphrase: what is read is wrong then. */
function aesCipher(secret: Uint8Array): ClusterCipher {
  const key = new Uint8Array(aesKeyLength);
  key.set(secret.subarray(0, aesKeyLength));
  const cipher = sectorCipher('aes', 'cbc-plain64', key, '');
  return {
    encrypt: (bytes, _hostOffset, guestOffset) => cipher.encrypt(bytes, guestOffset / sectorLength),
    decrypt: (bytes, _hostOffset, guestOffset) => cipher.decrypt(bytes, guestOffset / sectorLength),
  };
}

function byHostOffset(cipher: SectorCipher): ClusterCipher {
  return {
    encrypt: (bytes, hostOffset) => cipher.encrypt(bytes, hostOffset / sectorLength),
    decrypt: (bytes, hostOffset) => cipher.decrypt(bytes, hostOffset / sectorLength),
  };
}

async function secretFor(name: string, askSecret: AskSecret | undefined): Promise<Uint8Array> {
  if (askSecret !== undefined) return askSecret(`Passphrase of ${name}`);
  throw new VarveError('PERMISSION', `cannot open ${name}: it is encrypted; give its passphrase or key file`);
}
