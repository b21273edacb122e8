import type { BlockDevice } from '../../block/block-device.ts';
import { decodeUuid, zeroGuid } from '../../bytes/guid.ts';
import type { FileSystemIdentity } from '../file-system.ts';
import { type ForeignKind, foreignKinds, type Mark } from './foreign-kinds.ts';

/** Most marks are there. */
const headLength = 68 * 1024;

/** What a device is that nothing here reads, where its mark is a known one; undefined for what is not known at all. */
export async function identifyForeign(device: BlockDevice): Promise<FileSystemIdentity | undefined> {
  const head = await readAt(device, 0, Math.min(headLength, device.size));
  for (const kind of foreignKinds) {
    if (await hasMark(device, head!, kind)) return await identityOf(device, kind);
  }
  return undefined;
}

async function hasMark(device: BlockDevice, head: Buffer, { marks }: ForeignKind): Promise<boolean> {
  for (const mark of marks) {
    if ((await isThere(device, head, mark)) && (mark.also === undefined || (await isThere(device, head, mark.also)))) {
      return true;
    }
  }
  return false;
}

async function isThere(device: BlockDevice, head: Buffer, mark: Mark): Promise<boolean> {
  const { at, bytes, step = 0, times = 1 } = mark;
  const start = at < 0 ? device.size + at : at;
  const length = (times - 1) * step + bytes.length;
  const isInHead = start >= 0 && start + length <= head.length;
  const place = isInHead ? head.subarray(start, start + length) : await readAt(device, start, length);
  return place !== undefined && isMarked(place, mark);
}

function isMarked(place: Buffer, { bytes, step = 0, times = 1 }: Mark): boolean {
  const mark = Buffer.from(bytes, 'latin1');
  return Array.from({ length: times }, (_, index) => index * step).some((start) =>
    mark.equals(place.subarray(start, start + mark.length)),
  );
}

async function identityOf(device: BlockDevice, { label, type, uuidAt }: ForeignKind): Promise<FileSystemIdentity> {
  const uuidBytes = uuidAt === undefined ? undefined : await readAt(device, uuidAt, 16);
  const uuid = uuidBytes && decodeUuid(uuidBytes);
  const labelBytes = label && (await readAt(device, label.at, label.length));
  const text =
    labelBytes && new TextDecoder(label.encoding ?? 'utf-8').decode(labelBytes).replace(/\0.*$/s, '').trimEnd();
  return {
    ...{ type, uuid: uuid === zeroGuid ? undefined : uuid, label: text === '' ? undefined : text },
    ...{ blockSize: 512, size: device.size },
  };
}

/** Bytes of a device; undefined where it has none there. */
async function readAt(device: BlockDevice, offset: number, length: number): Promise<Buffer | undefined> {
  if (offset < 0 || offset + length > device.size) return undefined;
  const bytes = Buffer.alloc(length);
  if (length > 0) await device.read(bytes, offset);
  return bytes;
}
