/*
 * $Volume, the third file: $VOLUME_NAME is the label, in UTF-16; $VOLUME_INFORMATION has the version in bytes 8 and 9, and
 * flags in 10 and 11: 1 dirty, to be looked at by chkdsk.
 *
 * hiberfil.sys begins with "hibr" while a Windows sleeps on the disk that has the volume mounted.
 *
 * Source: Linux-NTFS project, NTFS documentation, "$Volume"; ntfs-3g, questions and answers on hibernation.
 */
import { isVarveError } from '../../base/varve-error.ts';
import { utf16Bytes, utf16Units } from '../utf16-name.ts';
import { attributeTypes } from './attribute.ts';
import { DirectoryIndex } from './directory-index.ts';
import { isLogFinished } from './log-file.ts';
import type { NtfsVolume } from './ntfs-volume.ts';

const volumeFile = 3;
const rootDirectory = 5;
const dirty = 1;
const longestLabel = 256;
const informationLength = 12;

/** What a volume says of itself. */
export interface VolumeState {
  readonly label: string | undefined;
  /** As people write it: `3.1`. */
  readonly version: string | undefined;
  readonly isDirty: boolean;
}

/** Reads $Volume. @throws VarveError `CORRUPT` */
export async function readVolumeState(volume: NtfsVolume): Promise<VolumeState> {
  const file = await volume.file(volumeFile);
  const label = new TextDecoder('utf-16le').decode(await file.bytesOf(attributeTypes.volumeName, longestLabel));
  const information = await file.bytesOf(attributeTypes.volumeInformation, longestLabel);
  const isWhole = information !== undefined && information.length >= informationLength;
  return {
    label: label === '' ? undefined : label,
    version: isWhole ? `${information[8]}.${information[9]}` : undefined,
    isDirty: !isWhole || (information[10]! & dirty) !== 0,
  };
}

/** Whether it was unmounted, and no Windows sleeps on it; false, too, where that cannot be told. */
export async function wasUnmounted(volume: NtfsVolume): Promise<boolean> {
  try {
    return (await isLogFinished(volume)) && !(await isHibernated(volume));
  } catch (error) {
    if (isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) return false;
    throw error;
  }
}

async function isHibernated(volume: NtfsVolume): Promise<boolean> {
  const root = await DirectoryIndex.open(volume, await volume.file(rootDirectory));
  const found = await root.find(await volume.upcaseTable(), utf16Units(utf16Bytes('hiberfil.sys')));
  if (found === undefined) return false;
  const data = await (await volume.file(found.record)).stream(attributeTypes.data, new Uint8Array(0));
  const mark = new Uint8Array(4);
  await data?.read(mark, 0);
  return String.fromCharCode(...mark).toLowerCase() === 'hibr';
}
