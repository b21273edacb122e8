import { VarveError } from '../base/varve-error.ts';
import { isImageName, isTagName } from './image-name.ts';
import { parseRecord } from './parse-record.ts';

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
  /** The rewritings of its history that were completed, oldest first. */
  readonly rewrites?: readonly string[] | undefined;
}

const uuidShape = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether `text` can identify an image; it becomes part of a path. */
export function isUuid(text: unknown): text is string {
  return typeof text === 'string' && uuidShape.test(text);
}

/** The key of an image's record among the store's objects. @throws CORRUPT when `uuid` is none */
export function imageRecordKey(uuid: string): string {
  if (!isUuid(uuid)) throw new VarveError('CORRUPT', `the catalog has an image with the impossible uuid ${uuid}`);
  return `images/${uuid}.json`;
}

export function encodeImageRecord(record: ImageRecord): Uint8Array {
  const { uuid, name, nextNumber, tags, messages, rewrites = [] } = record;
  const json = { varve: 'image', version: 1, uuid, name, next_number: nextNumber, tags, messages };
  const whole = rewrites.length === 0 ? json : { ...json, rewrites };
  return Buffer.from(`${JSON.stringify(whole, null, 2)}\n`);
}

/** @throws CORRUPT, or UNSUPPORTED for a newer version */
export function decodeImageRecord(bytes: Uint8Array, what: string): ImageRecord {
  const json = parseRecord(bytes, what);
  if (json.varve !== 'image') throw new VarveError('CORRUPT', `${what}: it is no image record`);
  if (json.version !== 1)
    throw new VarveError('UNSUPPORTED', `${what}: version ${json.version} is newer than this Varve`);
  const { uuid, name, next_number: nextNumber, tags, messages, rewrites } = json;
  const isList = rewrites === undefined || (Array.isArray(rewrites) && rewrites.every(isText));
  const sound = isList && isUuid(uuid) && typeof name === 'string' && isImageName(name) && isNumber(nextNumber);
  if (!sound || !isRecordOf(tags, isTagName, isNumber) || !isRecordOf(messages, isDecimal, isText)) {
    throw new VarveError('CORRUPT', `${what}: a field is missing or of the wrong kind`);
  }
  return {
    uuid,
    name,
    nextNumber: nextNumber as number,
    tags,
    messages,
    ...(rewrites !== undefined && { rewrites }),
  } as ImageRecord;
}

function isRecordOf(value: unknown, isKey: (key: string) => boolean, isValue: (value: unknown) => boolean): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(([key, each]) => isKey(key) && isValue(each));
}

function isNumber(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function isDecimal(key: string): boolean {
  return /^[1-9]\d*$/.test(key);
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}
