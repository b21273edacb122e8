/** Names as a directory keeps them: by a hash, in upper and lower case or without regard to it. */
export interface NameRules {
  hash(name: Uint8Array): number;
  areSame(one: Uint8Array, other: Uint8Array): boolean;
}

/** Source: XFS Algorithms & Data Structures, "Directory Hash Value". */
function hashName(name: Uint8Array): number {
  let hash = 0;
  let place = 0;
  for (; name.length - place >= 4; place += 4) {
    const four = (name[place]! << 21) ^ (name[place + 1]! << 14) ^ (name[place + 2]! << 7) ^ name[place + 3]!;
    hash = four ^ rotated(hash, 28);
  }
  const rest = name.length - place;
  let last = 0;
  for (; place < name.length; place++) last = (last << 7) ^ name[place]!;
  return (rest === 0 ? hash : last ^ rotated(hash, rest * 7)) >>> 0;
}

/** Source: Linux, fs/xfs/libxfs/xfs_dir2.c: names without case are hashed one byte at a time. */
function hashFolded(name: Uint8Array): number {
  let hash = 0;
  for (const byte of name) hash = folded(byte) ^ rotated(hash, 7);
  return hash >>> 0;
}

/** The letters of ASCII and Latin 1 in lower case. */
function folded(byte: number): number {
  const isUpper = (byte >= 0x41 && byte <= 0x5a) || (byte >= 0xc0 && byte <= 0xde && byte !== 0xd7);
  return isUpper ? byte + 0x20 : byte;
}

function rotated(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** The rules of a directory that tells case apart, or of one that does not. */
export function nameRules(ignoresCase: boolean): NameRules {
  const same = ignoresCase ? folded : (byte: number) => byte;
  return {
    hash: ignoresCase ? hashFolded : hashName,
    areSame: (one, other) => one.length === other.length && one.every((byte, at) => same(byte) === same(other[at]!)),
  };
}
