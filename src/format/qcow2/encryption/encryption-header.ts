/*
 * The header extension 0x0537be77 of an image that is encrypted with LUKS, big-endian:
 *
 *   byte   0–7    offset of the LUKS header      8–15   its length, key material included
 *
 * Source: QEMU docs/interop/qcow2.txt, section "Full disk encryption header pointer".
 */
import { ByteReader } from '../../../bytes/byte-reader.ts';
import { corruptImage } from '../../image-errors.ts';
import type { Qcow2Header } from '../header.ts';
import { extensionData, extensionType } from '../header-extensions.ts';

/** Values of the header's `crypt_method`. */
export const cryptMethod = { none: 0, aes: 1, luks: 2 } as const;

/** Where the LUKS header is in the file, in bytes. */
export interface EncryptionHeaderPlace {
  readonly offset: number;
  readonly length: number;
}

/**
 * Where the LUKS header of an image is; undefined where it is not encrypted with LUKS.
 *
 * @throws VarveError `CORRUPT`
 */
export function encryptionHeaderOf(
  header: Qcow2Header,
  fileSize: number,
  name: string,
): EncryptionHeaderPlace | undefined {
  if (header.cryptMethod !== cryptMethod.luks) return undefined;
  const data = extensionData(header.extensions, extensionType.encryptionHeader);
  if (data === undefined)
    throw corruptImage(name, 'it is encrypted with LUKS, and does not say where the LUKS header is');
  const reader = new ByteReader(data, `encryption header pointer of ${name}`);
  const [offset, length] = [reader.u64be('offset'), reader.u64be('length')];
  if (offset !== 0 && offset % 2 ** header.clusterBits === 0 && length > 0 && offset + length <= fileSize) {
    return { offset, length };
  }
  throw corruptImage(name, `its LUKS header cannot be at byte ${offset} with ${length} bytes`);
}
