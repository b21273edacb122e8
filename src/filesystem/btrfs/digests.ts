import { loadBlake } from '../../bytes/load-blake.ts';

/** SHA-256. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return process.getBuiltinModule('node:crypto').hash('sha256', bytes, 'buffer');
}

/** BLAKE2b with a digest of 32 bytes. The library is loaded at the first call: hardly any disk has these. */
export function blake2b(bytes: Uint8Array): Uint8Array {
  const { Blake2BHasher, Blake2BParam } = loadBlake();
  const parameters = new Blake2BParam();
  parameters.hashLength(32);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Blake2BHasher.withParams(parameters).update(buffer).digestBuffer();
}
