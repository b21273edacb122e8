/*
 * A chunk maps a range of addresses, from its key's offset on, to places on devices; little-endian:
 *
 *   byte   0  length                 24  type                    44  num_stripes (16 bit)     48  stripes, 32 bytes each
 *         16  stripe_len             40  sector_size (32 bit)    46  sub_stripes (16 bit)
 *
 *   stripe 0  devid                   8  offset                  16  dev_uuid, 16 bytes
 *
 * Bits of the type: 1 data, 2 system, 4 metadata; 8 RAID0, 10 RAID1, 20 DUP, 40 RAID10, 80 RAID5, 100 RAID6, 200 RAID1C3, 400
 * RAID1C4 (hexadecimal), none of these for single. What has no width here has 64 bits.
 *
 * Source: btrfs.readthedocs.io, "On-disk format", CHUNK_ITEM; "Volume management" (profiles).
 */
import { u64 } from './little-endian.ts';

const headerLength = 48;
const stripeLength = 32;
/** The one length of stripes that there is (BTRFS_STRIPE_LEN). */
export const stripeUnit = 65_536;

const profiles = [
  ...([
    [0x8, 'RAID0'],
    [0x10, 'RAID1'],
    [0x20, 'DUP'],
    [0x40, 'RAID10'],
    [0x80, 'RAID5'],
    [0x100, 'RAID6'],
  ] as const),
  ...([
    [0x200, 'RAID1C3'],
    [0x400, 'RAID1C4'],
  ] as const),
] as const;

/** How a chunk is spread over its stripes. */
export type ChunkProfile = (typeof profiles)[number][1] | 'single';

/** One of the places that a chunk is in. */
export interface Stripe {
  readonly deviceId: number;
  /** In bytes of its device. */
  readonly offset: number;
}

/** A range of addresses, and where it is. */
export interface Chunk {
  readonly start: number;
  readonly length: number;
  readonly type: number;
  readonly profile: ChunkProfile;
  readonly stripes: readonly Stripe[];
  /** How many stripes in a row hold the same, in RAID10. */
  readonly subStripes: number;
}

/** How long a chunk's item is that begins at byte `at`; 0 where it is cut off. */
export function chunkLengthAt(view: DataView, at: number): number {
  if (at + headerLength > view.byteLength) return 0;
  const length = headerLength + view.getUint16(at + 44, true) * stripeLength;
  return at + length > view.byteLength ? 0 : length;
}

/** Takes the chunk apart that begins at byte `at`, whose length was checked; a text where it cannot be one. */
export function decodeChunk(view: DataView, at: number, start: number): Chunk | string {
  const length = u64(view, at);
  const type = view.getUint32(at + 24, true);
  const found = profiles.filter(([bit]) => (type & bit) !== 0);
  const stripes = Array.from({ length: view.getUint16(at + 44, true) }, (_, index) => ({
    deviceId: u64(view, at + headerLength + index * stripeLength),
    offset: u64(view, at + headerLength + index * stripeLength + 8),
  }));
  if (found.length > 1) return `has several profiles (type 0x${type.toString(16)})`;
  if (u64(view, at + 16) !== stripeUnit) return `has stripes of ${u64(view, at + 16)} bytes`;
  if (length === 0 || length % stripeUnit !== 0 || !Number.isSafeInteger(start + length)) return `has ${length} bytes`;
  const chunk: Chunk = {
    ...{ start, length, type, profile: found[0]?.[1] ?? 'single', stripes },
    subStripes: view.getUint16(at + 46, true),
  };
  return stripeProblem(chunk) ?? chunk;
}

function stripeProblem({ profile, stripes, subStripes, length }: Chunk): string | undefined {
  const count = stripes.length;
  const isWrong = count === 0 || (profile === 'single' && count > 1);
  if (isWrong) return `is ${profile} and has ${count} stripes`;
  if (profile === 'RAID10' && (subStripes === 0 || count % subStripes !== 0)) {
    return `is RAID10 and has ${count} stripes, of which ${subStripes} hold the same`;
  }
  const parallel = parallelStripes({ profile, stripes, subStripes });
  return parallel <= 0 || length % parallel !== 0 ? `has ${length} bytes in ${count} stripes` : undefined;
}

/** How many stripes hold different bytes. */
export function parallelStripes({
  profile,
  stripes,
  subStripes,
}: Pick<Chunk, 'profile' | 'stripes' | 'subStripes'>): number {
  if (profile === 'RAID0') return stripes.length;
  if (profile === 'RAID10') return stripes.length / subStripes;
  if (profile === 'RAID5') return stripes.length - 1;
  return profile === 'RAID6' ? stripes.length - 2 : 1;
}
