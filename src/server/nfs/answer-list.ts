import { fileTypes, type NfsAttributes } from '../../protocol/nfs/attribute-codec.ts';
import { accessBits, longestName, nfsStatus, procedures } from '../../protocol/nfs/constants.ts';
import { ListWriter } from '../../protocol/nfs/reply-codec.ts';
import { decodeList } from '../../protocol/nfs/request-codec.ts';
import type { DirectoryListing } from '../guest-tree/directory-listing.ts';
import { type ExportFile, visible } from './export-files.ts';
import { accessOf } from './file-access.ts';
import { NfsFailure } from './nfs-failure.ts';
import {
  decodedHandle,
  directoryAttributes,
  handleOf,
  longestList,
  type NfsRequest,
  type Prepared,
  type UsedFile,
  useFile,
} from './nfs-request.ts';

const dots = [Uint8Array.of(0x2e), Uint8Array.of(0x2e, 0x2e)] as const;

/**
 * READDIR and READDIRPLUS. A cookie counts the names before it, which are in the same order each time, `.` and `..` first.
 */
export function prepareList(request: NfsRequest): Prepared {
  const isPlus = request.procedure === procedures.READDIRPLUS;
  const { cookie, directory, length: wanted, namesLength } = decodeList(request.args, isPlus);
  const handle = decodedHandle(request, directory);
  const length = Math.min(wanted, longestList[request.caller.transport]);
  return {
    // An answer that says that there is no room takes some, too.
    length: Math.max(length, 2 ** 10),
    failureLength: 1,
    async answer(writer) {
      using used = await useFile(request, handle);
      const own = await directoryAttributes(used);
      if ((accessOf(own, request.user) & accessBits.READ) === 0) {
        throw new NfsFailure(nfsStatus.ACCES, 'the user may not list the directory', own);
      }
      const names = await used.files.list(used.file);
      if (cookie > names.length + dots.length) {
        throw new NfsFailure(nfsStatus.BAD_COOKIE, 'the directory is not as long', own);
      }
      writer.u32be(nfsStatus.OK);
      const list = new ListWriter(writer, { isPlus, length, namesLength });
      list.begin(own);
      const next = await putNames(list, { request, used, own, names, isPlus }, cookie);
      const isAll = next === names.length + dots.length;
      if (list.count === 0 && !isAll) throw new NfsFailure(nfsStatus.TOOSMALL, 'not one name has room', own);
      list.end(isAll);
    },
  };
}

interface Listed {
  readonly request: NfsRequest;
  readonly used: UsedFile;
  readonly own: NfsAttributes;
  readonly names: DirectoryListing;
  readonly isPlus: boolean;
}

/** Puts as many names as there is room for, and gives the index of the first that was left. */
async function putNames(list: ListWriter, listed: Listed, first: number): Promise<number> {
  const { isPlus, names, request, used } = listed;
  let index = first;
  for (; index < names.length + dots.length; index += 1) {
    const name = dots[index] ?? names.name(index - dots.length);
    // Clients would take the whole list for damaged.
    if (name.length > longestName) continue;
    if (!list.hasRoom(name.length)) return index;
    const covered = await fileAt(listed, index);
    const shown = covered && visible(covered);
    const attributes = shown && (await attributesOf(used, shown));
    if (index >= dots.length && attributes?.type === fileTypes.directory) used.files.notePlace(shown!, used.file);
    // As readdir(3) has it, the number is that of the directory beneath what is mounted on it.
    const own = shown === covered ? attributes : covered && (await attributesOf(used, covered));
    const handle = isPlus && attributes !== undefined ? handleOf(request, used, shown!) : undefined;
    list.put({ name, cookie: index + 1, fileid: own?.fileid ?? unknownFile, attributes, handle });
  }
  return index;
}

/** What programs see where a number cannot be told. */
const unknownFile = 0xffff_ffff;

async function fileAt({ names, used }: Listed, index: number): Promise<ExportFile | undefined> {
  const { file, files } = used;
  if (index === 0) return file;
  if (index >= dots.length) return { volume: file.volume, node: names.node(index - dots.length) };
  return await files.parentOf(file).catch(() => undefined);
}

/** Undefined where that cannot be read: whoever looks at the file itself learns why. */
async function attributesOf({ files }: UsedFile, file: ExportFile): Promise<NfsAttributes | undefined> {
  try {
    return await files.attributes(file);
  } catch {
    return undefined;
  }
}
