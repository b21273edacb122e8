import { VarveError } from '../base/varve-error.ts';

/**
 * What the manifests of an image cannot say, because it changes: kept beside them in `images/<uuid>.json`, replaced
 * whole, so that the catalog can be rebuilt. An image that was never renamed, tagged or described has none.
 */
export interface ImageRecord {
  readonly uuid: string;
  readonly name: string;
  /** The number of the next snapshot: numbers are not used again. */
  readonly nextNumber: number;
  readonly tags: Readonly<Record<string, number>>;
  /** Messages that were changed, by snapshot number. */
  readonly messages: Readonly<Record<string, string>>;
}

export function imageRecordKey(uuid: string): string {
  return `images/${uuid}.json`;
}

export function encodeImageRecord(record: ImageRecord): Uint8Array {
  const { uuid, name, nextNumber, tags, messages } = record;
  const json = { varve: 'image', version: 1, uuid, name, next_number: nextNumber, tags, messages };
  return Buffer.from(`${JSON.stringify(json, null, 2)}\n`);
}

/** @throws CORRUPT, or UNSUPPORTED for a newer version */
export function decodeImageRecord(bytes: Uint8Array, what: string): ImageRecord {
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, unknown>;
  } catch (cause) {
    throw new VarveError('CORRUPT', `${what}: it is no JSON`, { cause });
  }
  if (json?.varve !== 'image') throw new VarveError('CORRUPT', `${what}: it is no image record`);
  if (json.version !== 1)
    throw new VarveError('UNSUPPORTED', `${what}: version ${json.version} is newer than this Varve`);
  const { uuid, name, next_number: nextNumber, tags, messages } = json;
  const sound = typeof uuid === 'string' && typeof name === 'string' && Number.isSafeInteger(nextNumber);
  if (
    !sound ||
    !isRecordOf(tags, Number.isSafeInteger) ||
    !isRecordOf(messages, (value) => typeof value === 'string')
  ) {
    throw new VarveError('CORRUPT', `${what}: a field is missing or of the wrong kind`);
  }
  return { uuid, name, nextNumber: nextNumber as number, tags, messages } as ImageRecord;
}

function isRecordOf(value: unknown, isValue: (value: unknown) => boolean): boolean {
  return typeof value === 'object' && value !== null && Object.values(value).every(isValue);
}
