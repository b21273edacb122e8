import { createCipheriv, createDecipheriv } from 'node:crypto';

/** The ciphers that Node has with blocks of 16 bytes, as LUKS calls them. */
export type BlockCipherName = 'aes' | 'camellia' | 'aria';

/** A cipher without chaining, for whole blocks of 16 bytes: what modes are made of here. Each call gives new bytes. */
export interface BlockCipher {
  encrypt(bytes: Uint8Array): Uint8Array;
  decrypt(bytes: Uint8Array): Uint8Array;
}

/** The block cipher of a key of 16, 24 or 32 bytes. */
export function blockCipher(cipher: BlockCipherName, key: Uint8Array): BlockCipher {
  const name = `${cipher}-${key.length * 8}-ecb`;
  // Each block stands for itself, so that both go on for ever; making one takes as long as 10 KiB through it.
  const encryption = createCipheriv(name, key, null).setAutoPadding(false);
  const decryption = createDecipheriv(name, key, null).setAutoPadding(false);
  return { encrypt: (bytes) => encryption.update(bytes), decrypt: (bytes) => decryption.update(bytes) };
}
