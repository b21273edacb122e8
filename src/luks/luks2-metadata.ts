/*
 * What the JSON of a LUKS2 header says; numbers of 64 bits are texts there:
 *
 *     keyslots  { "0": { type: "luks2", key_size, af: { type: "luks1", stripes, hash },
 *                 area: { type: "raw", offset, size, encryption, key_size }, kdf: { type, salt, … }, priority } }
 *               kdf is argon2i or argon2id: time, memory (in KiB), cpus; or pbkdf2: hash, iterations
 *     segments  { "0": { type: "crypt", offset, size: "dynamic", iv_tweak, encryption, sector_size, integrity } }
 *     digests   { "0": { type: "pbkdf2", keyslots: ["0"], segments: ["0"], hash, iterations, salt, digest } }
 *     config    { requirements: { mandatory: [ … ] } }
 *
 * Source: LUKS2 On-Disk Format Specification, version 1.1.3, section 3.
 */
import { VarveError } from '../base/varve-error.ts';

/** The place for a key, wrapped in one passphrase; lengths in bytes. */
export interface Luks2KeySlot {
  readonly id: string;
  readonly keyLength: number;
  readonly stripes: number;
  readonly stripeHash: string;
  readonly areaOffset: number;
  readonly areaLength: number;
  readonly areaEncryption: string;
  readonly areaKeyLength: number;
  readonly derivation: KeyDerivation;
  /** 0 for one that is only used when it is asked for, 2 for one to be tried first. */
  readonly priority: number;
}

/** How a passphrase becomes a key. */
export type KeyDerivation =
  | { readonly kind: 'pbkdf2'; readonly hash: string; readonly iterations: number; readonly salt: Uint8Array }
  | {
      readonly kind: 'argon2i' | 'argon2id';
      readonly passes: number;
      /** In KiB. */
      readonly memory: number;
      readonly lanes: number;
      readonly salt: Uint8Array;
    };

/** What is encrypted; lengths in bytes. */
export interface Luks2Segment {
  readonly id: string;
  readonly offset: number;
  /** Undefined for all up to the end of the device. */
  readonly length: number | undefined;
  /** What is added to the number of each sector, in sectors of 512 bytes. */
  readonly firstSector: number;
  readonly encryption: string;
  readonly sectorLength: number;
}

/** What a key is known by. */
export interface Luks2Digest {
  readonly keySlots: readonly string[];
  readonly segments: readonly string[];
  readonly hash: string;
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly digest: Uint8Array;
}

/** The JSON's parts that count here; tokens do not. */
export interface Luks2Metadata {
  readonly keySlots: readonly Luks2KeySlot[];
  readonly segment: Luks2Segment;
  readonly digests: readonly Luks2Digest[];
}

const mostKeySlots = 32;
const sectorLengths = [512, 1024, 2048, 4096];

/** @throws VarveError `CORRUPT`, `UNSUPPORTED` for integrity, for a disk that is being encrypted, and the like */
export function decodeLuks2Metadata(json: string, name: string): Luks2Metadata {
  const root = new JsonPart(parse(json, name), 'its JSON', name);
  const needed = root.has('config') ? root.part('config').requirements() : [];
  if (needed.length > 0) {
    throw new VarveError('UNSUPPORTED', `cannot open ${name}: its LUKS2 header requires ${needed.join(', ')}`);
  }
  const keySlots = root.parts('keyslots').map(([id, part]) => keySlotOf(id, part));
  const segments = root.parts('segments');
  const [[id, segment] = []] = segments;
  if (id === undefined || segment === undefined) throw root.corrupt('has no segments');
  if (segments.length > 1) throw root.unsupported(`has ${segments.length} segments, and only one is known`);
  if (keySlots.length > mostKeySlots) throw root.corrupt(`has ${keySlots.length} keyslots`);
  const digests = root.parts('digests').map(([, part]) => digestOf(part));
  return { keySlots: keySlots.filter((each) => each !== undefined), segment: segmentOf(id, segment), digests };
}

/** Undefined for a slot of a kind that no passphrase is for, as that of a disk that is being encrypted. */
function keySlotOf(id: string, part: JsonPart): Luks2KeySlot | undefined {
  if (part.text('type') !== 'luks2') return undefined;
  const [split, area] = [part.part('af'), part.part('area')];
  if (split.text('type') !== 'luks1') throw split.unsupported(`has the type ${JSON.stringify(split.text('type'))}`);
  if (area.text('type') !== 'raw') throw area.unsupported(`has the type ${JSON.stringify(area.text('type'))}`);
  return {
    ...{ id, keyLength: part.count('key_size'), stripes: split.count('stripes'), stripeHash: split.text('hash') },
    ...{ areaOffset: area.count('offset'), areaLength: area.count('size'), areaEncryption: area.text('encryption') },
    areaKeyLength: area.count('key_size'),
    derivation: derivationOf(part.part('kdf')),
    priority: part.has('priority') ? part.count('priority') : 1,
  };
}

function derivationOf(part: JsonPart): KeyDerivation {
  const kind = part.text('type');
  const salt = part.bytes('salt');
  if (kind === 'pbkdf2') return { kind, hash: part.text('hash'), iterations: part.count('iterations'), salt };
  if (kind !== 'argon2i' && kind !== 'argon2id') throw part.unsupported(`is ${JSON.stringify(kind)}`);
  return { kind, passes: part.count('time'), memory: part.count('memory'), lanes: part.count('cpus'), salt };
}

function segmentOf(id: string, part: JsonPart): Luks2Segment {
  const type = part.text('type');
  if (type !== 'crypt') throw part.unsupported(`has the type ${JSON.stringify(type)}`);
  if (part.has('integrity')) throw part.unsupported('keeps an integrity tag for each sector, which is not known');
  const sectorLength = part.has('sector_size') ? part.count('sector_size') : 512;
  if (!sectorLengths.includes(sectorLength)) throw part.corrupt(`has sectors of ${sectorLength} bytes`);
  const length = part.text('size') === 'dynamic' ? undefined : part.count('size');
  const [offset, firstSector] = [part.count('offset'), part.count('iv_tweak')];
  return { id, offset, length, firstSector, encryption: part.text('encryption'), sectorLength };
}

function digestOf(part: JsonPart): Luks2Digest {
  const type = part.text('type');
  if (type !== 'pbkdf2') throw part.unsupported(`has the type ${JSON.stringify(type)}`);
  return {
    ...{ keySlots: part.texts('keyslots'), segments: part.texts('segments'), hash: part.text('hash') },
    ...{ iterations: part.count('iterations'), salt: part.bytes('salt'), digest: part.bytes('digest') },
  };
}

function parse(json: string, name: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new VarveError('CORRUPT', `cannot read ${name}: the JSON of its LUKS2 header is none`, { cause });
  }
}

/** An object of the JSON, each field of which is to be what it should. */
class JsonPart {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #what: string;
  readonly #name: string;

  constructor(value: unknown, what: string, name: string) {
    this.#what = what;
    this.#name = name;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.corrupt('is no object');
    this.#fields = value as Readonly<Record<string, unknown>>;
  }

  corrupt(why: string): VarveError {
    return new VarveError('CORRUPT', `cannot read ${this.#name}: LUKS2 header: ${this.#what} ${why}`);
  }

  unsupported(why: string): VarveError {
    return new VarveError('UNSUPPORTED', `cannot open ${this.#name}: LUKS2 header: ${this.#what} ${why}`);
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#fields, key);
  }

  part(key: string): JsonPart {
    return new JsonPart(this.#get(key), `${this.#what}, ${key}`, this.#name);
  }

  /** The objects in an object, by their names, which are numbers. */
  parts(key: string): (readonly [id: string, part: JsonPart])[] {
    const fields = this.part(key).#fields;
    return Object.entries(fields).map(([id, value]) => {
      if (!/^\d{1,4}$/.test(id)) throw this.corrupt(`has ${key} that are not numbered`);
      return [id, new JsonPart(value, `${key} ${id}`, this.#name)] as const;
    });
  }

  /** What has to be known, beyond what everybody knows. */
  requirements(): string[] {
    if (!this.has('requirements')) return [];
    const requirements = this.part('requirements');
    return requirements.has('mandatory') ? requirements.texts('mandatory') : [];
  }

  text(key: string): string {
    const value = this.#get(key);
    if (typeof value === 'string') return value;
    throw this.corrupt(`has a ${key} that is no text`);
  }

  texts(key: string): string[] {
    const value = this.#get(key);
    if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
    throw this.corrupt(`has ${key} that are no texts`);
  }

  /** A number, or a text of one. */
  count(key: string): number {
    const value = this.#get(key);
    const isNumber = typeof value === 'number' || (typeof value === 'string' && /^\d{1,20}$/.test(value));
    const count = isNumber ? Number(value) : Number.NaN;
    if (Number.isSafeInteger(count) && count >= 0) return count;
    throw this.corrupt(`has a ${key} that is no count`);
  }

  bytes(key: string): Uint8Array {
    return Uint8Array.from(Buffer.from(this.text(key), 'base64'));
  }

  #get(key: string): unknown {
    if (this.has(key)) return this.#fields[key];
    throw this.corrupt(`has no ${key}`);
  }
}
