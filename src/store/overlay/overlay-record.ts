import { VarveError } from '../../base/varve-error.ts';
import { hexOf, nameFromHex } from '../chunk.ts';
import { isImageName, isTagName } from '../image-name.ts';
import { isUuid } from '../image-record.ts';
import { asObject, parseRecord } from '../parse-record.ts';
import type { Layer, LayerBase, PendingNote } from './overlay-table.ts';

/** What the catalog knows of a layer of changes, kept beside it, so that the catalog can be rebuilt. */
export interface OverlayRecord extends Omit<Layer, 'image'> {
  readonly image: { readonly uuid: string; readonly name: string };
}

/** Whether `text` can be an overlay's id; it becomes part of a path. */
export function isOverlayId(text: unknown): text is string {
  return typeof text === 'string' && /^[0-9a-f]{32}$/.test(text);
}

/** The key of an overlay's record among the store's objects. */
export function overlayRecordKey(id: string): string {
  return `overlays/${id}/overlay.json`;
}

export function encodeOverlayRecord(record: OverlayRecord): Uint8Array {
  const { id, image, owner, position, size, created, base, pending, savepoint } = record;
  const json = {
    ...{ varve: 'overlay', version: 1, id, image, owner, position, size },
    created: new Date(created).toISOString(),
    base: base === undefined ? null : { root: hexOf(base.root), snapshot: hexOf(base.id), number: base.number },
    snapshot: pending === undefined ? null : { ...pending, time: new Date(pending.time).toISOString() },
    ...(savepoint !== undefined && { savepoint }),
  };
  return Buffer.from(`${JSON.stringify(json, null, 2)}\n`);
}

/** @throws CORRUPT, or UNSUPPORTED for a newer version */
export function decodeOverlayRecord(bytes: Uint8Array, what: string): OverlayRecord {
  const json = parseRecord(bytes, what);
  if (json.varve !== 'overlay') throw new VarveError('CORRUPT', `${what}: it is no record of an overlay`);
  if (json.version !== 1)
    throw new VarveError('UNSUPPORTED', `${what}: version ${json.version} is newer than this Varve`);
  const { id, owner, position, savepoint, size } = json;
  const image = imageOf(json.image);
  const created = Date.parse(String(json.created));
  const base = baseOf(json.base);
  const pending = pendingOf(json.snapshot);
  const isSound = isOverlayId(id) && isText(owner) && isCount(position) && isCount(size) && Number.isFinite(created);
  const isNamed = savepoint === undefined || isText(savepoint);
  if (!isSound || !isNamed || image === undefined || base === 'damaged' || pending === 'damaged') {
    throw new VarveError('CORRUPT', `${what}: a field is missing or of the wrong kind`);
  }
  return { id, image, owner, position, size, created, base, pending, savepoint };
}

function imageOf(value: unknown): OverlayRecord['image'] | undefined {
  const { uuid, name } = asObject(value);
  return isUuid(uuid) && isText(name) && isImageName(name) ? { uuid, name } : undefined;
}

function baseOf(value: unknown): LayerBase | undefined | 'damaged' {
  if (value === null) return undefined;
  const { root: rootText, snapshot, number } = asObject(value);
  const root = nameFromHex(String(rootText));
  const id = nameFromHex(String(snapshot));
  return root !== undefined && id !== undefined && isCount(number) ? { root, id, number } : 'damaged';
}

function pendingOf(value: unknown): PendingNote | undefined | 'damaged' {
  if (value === null) return undefined;
  const { number, time: timeText, message, author, tag } = asObject(value);
  const time = Date.parse(String(timeText));
  const isTag = tag === undefined || (isText(tag) && isTagName(tag));
  if (!(isCount(number) && number > 0 && Number.isFinite(time) && isText(message) && isText(author) && isTag))
    return 'damaged';
  return { number, time, message, author, tag };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
