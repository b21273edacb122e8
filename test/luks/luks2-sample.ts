import { argon2Sync, createHash, pbkdf2Sync } from 'node:crypto';
import { pattern } from '../../src/conformance/device-content.ts';
import { splitKey } from '../../src/luks/anti-forensic.ts';
import { sectorCipher } from '../../src/luks/sector-cipher.ts';

/** What a sample of a LUKS2 volume is made of. */
export interface Luks2Sample {
  readonly passphrase: string;
  readonly key: Uint8Array;
  readonly kdf: 'pbkdf2' | 'argon2i' | 'argon2id';
  readonly sectorLength: number;
  /** Whole sectors; they are encrypted with the cipher that is tested elsewhere. */
  readonly content: Uint8Array;
  /** Changes the JSON before it is written. */
  readonly edit?: (json: Luks2Json) => void;
}

/** The JSON of a header, as far as tests change it. */
// biome-ignore lint/suspicious/noExplicitAny: tests put anything anywhere.
export type Luks2Json = Record<string, any>;

const headerLength = 16_384;
const areaOffset = 2 * headerLength;
const stripes = 40;
const areaLength = 8192;
export const luks2ContentOffset = areaOffset + areaLength;

/** The bytes of a LUKS2 volume with one key slot, which takes little work so that it opens at once. */
export function luks2Sample({ content, edit, kdf, key, passphrase, sectorLength }: Luks2Sample): Uint8Array {
  const bytes = new Uint8Array(luks2ContentOffset + content.length);
  const [salt, digestSalt] = [pattern(32, 1), pattern(32, 2)];
  const base64 = (value: Uint8Array) => Buffer.from(value).toString('base64');
  const json: Luks2Json = {
    keyslots: {
      1: {
        ...{ type: 'luks2', key_size: key.length, af: { type: 'luks1', stripes, hash: 'sha256' } },
        area: {
          type: 'raw',
          offset: `${areaOffset}`,
          size: `${areaLength}`,
          encryption: 'aes-xts-plain64',
          key_size: 64,
        },
        kdf:
          kdf === 'pbkdf2'
            ? { type: kdf, hash: 'sha256', iterations: 10, salt: base64(salt) }
            : { type: kdf, time: 1, memory: 64, cpus: 2, salt: base64(salt) },
      },
    },
    tokens: { 0: { type: 'systemd-tpm2', keyslots: ['1'] } },
    segments: {
      0: {
        ...{ type: 'crypt', offset: `${luks2ContentOffset}`, size: 'dynamic', iv_tweak: '0' },
        ...{ encryption: 'aes-xts-plain64', sector_size: sectorLength },
      },
    },
    digests: {
      0: {
        ...{ type: 'pbkdf2', keyslots: ['1'], segments: ['0'], hash: 'sha256', iterations: 10 },
        ...{ salt: base64(digestSalt), digest: base64(pbkdf2Sync(key, digestSalt, 10, 32, 'sha256')) },
      },
    },
    config: { json_size: `${headerLength - 4096}`, keyslots_size: `${areaLength}` },
  };
  edit?.(json);
  for (const [offset, seqid] of [
    [0, 3],
    [headerLength, 3],
  ] as const) {
    bytes.set(luks2Header(JSON.stringify(json), offset, seqid), offset);
  }
  const slotKey =
    kdf === 'pbkdf2'
      ? pbkdf2Sync(passphrase, salt, 10, 64, 'sha256')
      : argon2Sync(kdf, { message: passphrase, nonce: salt, parallelism: 2, tagLength: 64, memory: 64, passes: 1 });
  const material = new Uint8Array(Math.ceil((key.length * stripes) / 512) * 512);
  material.set(splitKey(key, stripes, 'sha256', pattern(key.length * (stripes - 1), 3)));
  sectorCipher('aes', 'xts-plain64', slotKey, 'sample').encrypt(material, 0);
  bytes.set(material, areaOffset);
  const encrypted = Uint8Array.from(content);
  sectorCipher('aes', 'xts-plain64', key, 'sample', sectorLength).encrypt(encrypted, 0);
  bytes.set(encrypted, luks2ContentOffset);
  return bytes;
}

/** A copy of a header with this JSON, as it stands at `offset`. */
export function luks2Header(json: string, offset: number, seqid: number): Uint8Array {
  const header = new Uint8Array(headerLength);
  const view = new DataView(header.buffer);
  header.set(Buffer.from(offset === 0 ? 'LUKS\xba\xbe' : 'SKUL\xba\xbe', 'latin1'), 0);
  view.setUint16(6, 2);
  view.setBigUint64(8, BigInt(headerLength));
  view.setBigUint64(16, BigInt(seqid));
  header.set(Buffer.from('sample'), 24);
  header.set(Buffer.from('sha256'), 72);
  header.set(Buffer.from('6f7c0000-0000-4000-8000-000000000000'), 168);
  view.setBigUint64(256, BigInt(offset));
  header.set(Buffer.from(json), 4096);
  header.set(createHash('sha256').update(header).digest(), 448);
  return header;
}
