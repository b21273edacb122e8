import type { FileKind, FileStat } from '../file-system.ts';
import { utf16Bytes } from '../utf16-name.ts';
import { attributeTypes } from './attribute.ts';
import type { AttributeStream } from './attribute-stream.ts';
import { DirectoryIndex } from './directory-index.ts';
import { decodeFileName, fileAttributes } from './file-name.ts';
import { decodeInterixFile, type InterixFile, longestInterixFile } from './interix-file.ts';
import { decodeLinuxMetadata, longestExtendedAttributes } from './linux-metadata.ts';
import type { NtfsFile } from './ntfs-file.ts';
import type { NtfsVolume } from './ntfs-volume.ts';
import { overlayStreamName } from './overlay/overlay-stream.ts';
import { decodeReparsePoint, longestReparsePoint, type ReparsePoint } from './reparse-point.ts';
import { decodeStandardInformation, type StandardInformation } from './standard-information.ts';

const longestInformation = 1024;
const noName = new Uint8Array(0);

/** All that is told of a file without reading it. */
export interface DescribedFile {
  readonly file: NtfsFile;
  readonly stat: FileStat;
  /** A symlink's. */
  readonly target: Uint8Array | undefined;
  /** Why its content cannot be read, in words that follow "is". */
  readonly unreadable: string | undefined;
  /** The reparse point of a file whose content is in a stream of its own, compressed by the Windows Overlay Filter. */
  readonly overlay: Uint8Array | undefined;
}

type Lengths = Pick<FileStat, 'size' | 'allocated'>;

/** What else than a file or directory it is. */
type Disguise = InterixFile | (ReparsePoint & { readonly device?: undefined });

/** Reads what there is to be told of a file. @throws VarveError `CORRUPT` */
export async function describeFile(volume: NtfsVolume, file: NtfsFile): Promise<DescribedFile> {
  const bytes = await file.bytesOf(attributeTypes.standardInformation, longestInformation);
  const information = bytes && decodeStandardInformation(bytes);
  if (information === undefined) throw volume.corrupt(`${file.title} has no standard information`);
  const data = await file.stream(attributeTypes.data, noName);
  const reparse = await reparsePointOf(volume, file, information);
  const disguise: Disguise | undefined = reparse ?? (await interixFileOf(file, information, data));
  const kind = disguise?.kind ?? (file.isDirectory ? 'directory' : 'file');
  const target = disguise?.target;
  const { attributes, ...times } = information;
  const extended = await file.bytesOf(attributeTypes.extendedAttributes, longestExtendedAttributes);
  const stat: FileStat = {
    ...{
      inode: file.number,
      kind,
      mode: 0o777,
      uid: 0,
      gid: 0,
      links: await countNames(file),
      device: disguise?.device,
    },
    ...(await lengthsOf(volume, file, kind, reparse?.overlay ? await overlaidLengths(file, data) : data)),
    ...(target !== undefined && { size: target.length }),
    ...times,
    ...(extended !== undefined && decodeLinuxMetadata(extended)),
  };
  const isRemote = (attributes & fileAttributes.recallOnDataAccess) !== 0;
  const unreadable = reparse?.unreadable ?? (isRemote ? 'kept elsewhere, and here only by name' : undefined);
  return { file, stat, target, unreadable, overlay: reparse?.overlay };
}

async function reparsePointOf(
  volume: NtfsVolume,
  file: NtfsFile,
  { attributes }: StandardInformation,
): Promise<ReparsePoint | undefined> {
  if ((attributes & fileAttributes.reparsePoint) === 0) return undefined;
  const bytes = await file.bytesOf(attributeTypes.reparsePoint, longestReparsePoint);
  const reparse = bytes === undefined ? undefined : decodeReparsePoint(bytes);
  if (typeof reparse === 'string') throw volume.corrupt(`the reparse point of ${file.title} ${reparse}`);
  return reparse;
}

async function interixFileOf(
  file: NtfsFile,
  { attributes }: StandardInformation,
  data: AttributeStream | undefined,
): Promise<InterixFile | undefined> {
  const isSystem = (attributes & (fileAttributes.system | fileAttributes.hidden)) === fileAttributes.system;
  if (!isSystem || file.isDirectory || data === undefined) return undefined;
  if (data.isEncrypted || data.size > longestInterixFile) return undefined;
  const content = new Uint8Array(data.size);
  await data.read(content, 0);
  return decodeInterixFile(content);
}

/** How many names it has, without short ones that go with others. */
async function countNames(file: NtfsFile): Promise<number> {
  const names = await file.contentsOf(attributeTypes.fileName);
  const count = names.filter((bytes) => decodeFileName(bytes)?.isDosName === false).length;
  return Math.max(1, count);
}

/** A hole is in the place of what was compressed. */
async function overlaidLengths(file: NtfsFile, data: AttributeStream | undefined): Promise<Lengths> {
  const stored = await file.stream(attributeTypes.data, utf16Bytes(overlayStreamName));
  return { size: data?.size ?? 0, allocated: (data?.allocated ?? 0) + (stored?.allocated ?? 0) };
}

async function lengthsOf(
  volume: NtfsVolume,
  file: NtfsFile,
  kind: FileKind,
  data: Lengths | undefined,
): Promise<Lengths> {
  if (kind === 'directory') return (await DirectoryIndex.open(volume, file)).lengths;
  if (kind === 'file') return { size: data?.size ?? 0, allocated: data?.allocated ?? 0 };
  return { size: 0, allocated: 0 };
}
