import { fileTypes, postAttributesLength, putPostAttributes } from '../../protocol/nfs/attribute-codec.ts';
import { accessBits, longestHandle, longestName, nfsStatus } from '../../protocol/nfs/constants.ts';
import { decodeDirectoryName } from '../../protocol/nfs/request-codec.ts';
import type { ExportFile } from './export-files.ts';
import { accessOf } from './file-access.ts';
import { NfsFailure } from './nfs-failure.ts';
import {
  decodedHandle,
  directoryAttributes,
  handleOf,
  type NfsRequest,
  type Prepared,
  type UsedFile,
  useFile,
} from './nfs-request.ts';

const dot = 0x2e;

/** LOOKUP. */
export function prepareLookup(request: NfsRequest): Prepared {
  const { directory, name: lent } = decodeDirectoryName(request.args);
  const handle = decodedHandle(request, directory);
  const name = lent.slice();
  return {
    length: 4 + 4 + longestHandle + 2 * postAttributesLength,
    failureLength: 1,
    async answer(writer) {
      using used = await useFile(request, handle);
      const own = await directoryAttributes(used);
      if ((accessOf(own, request.user) & accessBits.LOOKUP) === 0) {
        throw new NfsFailure(nfsStatus.ACCES, 'the user may not look into the directory', own);
      }
      if (name.length > longestName) throw new NfsFailure(nfsStatus.NAMETOOLONG, 'the name is too long', own);
      const found = await find(used, name);
      if (found === undefined) throw new NfsFailure(nfsStatus.NOENT, 'there is no such file', own);
      const attributes = await used.files.attributes(found);
      if (attributes.type === fileTypes.directory && name[0] !== dot) used.files.notePlace(found, used.file);
      writer.u32be(nfsStatus.OK);
      writer.opaque(handleOf(request, used, found));
      putPostAttributes(writer, attributes);
      putPostAttributes(writer, own);
    },
  };
}

async function find({ file, files }: UsedFile, name: Uint8Array): Promise<ExportFile | undefined> {
  if (name.length === 0) return undefined;
  if (name[0] === dot && name.length === 1) return file;
  if (name[0] === dot && name[1] === dot && name.length === 2) return await files.parentOf(file);
  return await files.lookup(file, name);
}
