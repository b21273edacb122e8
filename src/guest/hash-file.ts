import { createHash } from 'node:crypto';
import { loadBlake } from '../bytes/load-blake.ts';
import { piecesOf } from './file-pieces.ts';
import type { GuestFile } from './guest-tree.ts';
import type { HashName } from './hash-names.ts';

const zeros = new Uint8Array(1 << 20);

/** The checksum of a file's content, in hexadecimal; undefined for what is no file. @throws VarveError `CORRUPT` */
export async function hashFile(file: GuestFile, name: HashName): Promise<string | undefined> {
  if (file.kind !== 'file') return undefined;
  const { digest, update } = hasher(name);
  const buffer = new Uint8Array(Math.min(zeros.length, file.stat.size));
  for await (const { kind, length, offset } of file.fileSystem.extents(file.node)) {
    if (kind === 'data') {
      for await (const { bytes } of piecesOf(file, { offset, length }, buffer)) update(bytes);
    } else {
      for (let done = 0; done < length; done += zeros.length) update(zeros.subarray(0, length - done));
    }
  }
  return digest();
}

function hasher(name: HashName): { update(bytes: Uint8Array): void; digest(): string } {
  if (name === 'blake3') {
    const hash = new (loadBlake().Blake3Hasher)();
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest('hex') };
  }
  const hash = createHash(name);
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest('hex') };
}
