import type { BlockDevice } from '../block/block-device.ts';

/** What can be told of an encrypted volume by the start of its header, whole or not. */
export interface LuksIdentity {
  readonly version: string;
  readonly uuid: string | undefined;
  /** Of version 2 only. */
  readonly label: string | undefined;
}

const headLength = 512;
const uuidPlace = 168;
const labelPlace = 24;

/** The identity in a header of LUKS; the UUID and version stand at the same places in both versions. */
export async function luksIdentity(device: BlockDevice): Promise<LuksIdentity> {
  const head = Buffer.alloc(Math.min(headLength, device.size));
  await device.read(head, 0);
  const version = head.length < 8 ? 0 : head.readUInt16BE(6);
  return {
    version: String(version),
    uuid: textAt(head, uuidPlace, 40),
    label: version === 2 ? textAt(head, labelPlace, 48) : undefined,
  };
}

function textAt(head: Buffer, place: number, length: number): string | undefined {
  const text = head
    .subarray(place, place + length)
    .toString('utf8')
    .replace(/\0.*$/s, '');
  return text === '' ? undefined : text;
}
