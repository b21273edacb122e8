import { crc32 } from 'node:zlib';
import { nameOf } from '../../src/store/hash.ts';
import { packBody } from '../../src/store/pack-body.ts';
import type { BodyKind } from '../../src/store/pack-format.ts';
import type { PackStore } from '../../src/store/pack-store.ts';
import { type FinishedPack, type NewBody, PackWriter } from '../../src/store/pack-writer.ts';

/** A body as it goes into a pack. */
export function newBody(bytes: Uint8Array, kind: BodyKind): NewBody {
  const packed = packBody(bytes);
  return { name: nameOf(bytes), length: bytes.length, crc32: crc32(packed.bytes), kind, ...packed };
}

/** Writes a pack of these bodies, each added on its own. */
export async function writePack(packs: PackStore, bodies: readonly NewBody[]): Promise<FinishedPack> {
  await using writer = new PackWriter(packs);
  for (const body of bodies) await writer.add([body]);
  return await writer.finish();
}
