/*
 * The feature bits of versions 3 and up, and the table of their names that an image may carry.
 *
 * Feature name table, 48 bytes an entry:
 *
 *   byte  0      type: 0 incompatible, 1 compatible, 2 autoclear
 *   byte  1      bit number, 0–63
 *   byte  2–47   name, padded with zeros
 *
 * Source: QEMU docs/interop/qcow2.txt, sections "Header" and "Feature name table".
 */
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';

/** Bits of `incompatibleFeatures`: whoever does not know one must not open the image. */
export const incompatibleFeature = {
  dirty: 1n << 0n,
  corrupt: 1n << 1n,
  externalDataFile: 1n << 2n,
  compressionType: 1n << 3n,
  extendedL2: 1n << 4n,
} as const;

/** Bits of `compatibleFeatures`: whoever does not know one may do everything. */
export const compatibleFeature = { lazyRefcounts: 1n << 0n } as const;

/** Bits of `autoclearFeatures`: whoever does not know one clears it before writing to the image. */
export const autoclearFeature = { bitmaps: 1n << 0n, rawExternalData: 1n << 1n } as const;

/** Which of the three bit masks of the header a feature stands in. */
export type FeatureKind = 'incompatible' | 'compatible' | 'autoclear';

/** The name of one feature bit. */
export interface FeatureName {
  readonly kind: FeatureKind;
  /** 0 to 63. */
  readonly bit: number;
  readonly name: string;
}

/** What the specification calls the bits, in the words that other programs write into images. */
export const knownFeatures: readonly FeatureName[] = [
  { kind: 'incompatible', bit: 0, name: 'dirty bit' },
  { kind: 'incompatible', bit: 1, name: 'corrupt bit' },
  { kind: 'incompatible', bit: 2, name: 'external data file' },
  { kind: 'incompatible', bit: 3, name: 'compression type' },
  { kind: 'incompatible', bit: 4, name: 'extended L2 entries' },
  { kind: 'compatible', bit: 0, name: 'lazy refcounts' },
  { kind: 'autoclear', bit: 0, name: 'bitmaps' },
  { kind: 'autoclear', bit: 1, name: 'raw external data' },
];

const kinds: readonly FeatureKind[] = ['incompatible', 'compatible', 'autoclear'];
const entryLength = 48;
const nameLength = 46;

/** The entries of a feature name table; those of unknown type, and a rest that is no whole entry, are passed over. */
export function decodeFeatureNames(data: Uint8Array): FeatureName[] {
  const reader = new ByteReader(data, 'feature name table');
  const names: FeatureName[] = [];
  while (reader.remaining >= entryLength) {
    const kind = kinds[reader.u8()];
    const bit = reader.u8();
    const name = new TextDecoder().decode(reader.bytes(nameLength)).replace(/\0.*$/s, '');
    if (kind !== undefined && bit < 64) names.push({ kind, bit, name });
  }
  return names;
}

/** The table for `names`; a name is cut at 46 bytes. */
export function encodeFeatureNames(names: readonly FeatureName[]): Uint8Array {
  const writer = new ByteWriter(names.length * entryLength);
  for (const [index, { kind, bit, name }] of names.entries()) {
    writer.seek(index * entryLength);
    writer.u8(kinds.indexOf(kind));
    writer.u8(bit);
    writer.put(new TextEncoder().encode(name).subarray(0, nameLength));
  }
  return writer.bytes;
}

/** The names of the bits that are set in `mask`, the image's own names before ours, numbers where nobody has one. */
export function featureNames(kind: FeatureKind, mask: bigint, ownNames: readonly FeatureName[]): string[] {
  const table = [...ownNames, ...knownFeatures];
  const names: string[] = [];
  for (let bit = 0; bit < 64; bit += 1) {
    if (((mask >> BigInt(bit)) & 1n) === 0n) continue;
    const known = table.find((feature) => feature.kind === kind && feature.bit === bit && feature.name !== '');
    names.push(known?.name ?? `unknown ${kind} feature ${bit}`);
  }
  return names;
}
