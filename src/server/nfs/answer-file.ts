import {
  fileTypes,
  postAttributesLength,
  putAttributes,
  putPostAttributes,
} from '../../protocol/nfs/attribute-codec.ts';
import { nfsStatus, procedures } from '../../protocol/nfs/constants.ts';
import { decodeHandle } from '../../protocol/nfs/request-codec.ts';
import type { XdrWriter } from '../../protocol/rpc/xdr-writer.ts';
import { accessOf } from './file-access.ts';
import { NfsFailure } from './nfs-failure.ts';
import { decodedHandle, type NfsRequest, type Prepared, type UsedFile, useFile } from './nfs-request.ts';

/** The longest symlink that is handed out, in bytes. Source: PATH_MAX of Linux. */
const longestTarget = 4096;

/** GETATTR, ACCESS and READLINK. */
export function prepareFile(request: NfsRequest): Prepared {
  const { args, procedure } = request;
  const handle = decodedHandle(request, decodeHandle(args));
  const wanted = procedure === procedures.ACCESS ? args.u32be() : 0;
  const isLink = procedure === procedures.READLINK;
  return {
    length: 4 + postAttributesLength + 8 + (isLink ? longestTarget : 0),
    failureLength: procedure === procedures.GETATTR ? 0 : 1,
    async answer(writer) {
      using used = await useFile(request, handle);
      if (isLink) {
        await putTarget(writer, used);
        return;
      }
      const attributes = await used.files.attributes(used.file);
      writer.u32be(nfsStatus.OK);
      if (procedure === procedures.GETATTR) {
        putAttributes(writer, attributes);
        return;
      }
      putPostAttributes(writer, attributes);
      writer.u32be(wanted & accessOf(attributes, request.user));
    },
  };
}

async function putTarget(writer: XdrWriter, { file, files }: UsedFile): Promise<void> {
  const attributes = await files.attributes(file);
  if (attributes.type !== fileTypes.symlink) throw new NfsFailure(nfsStatus.INVAL, 'it is no symlink', attributes);
  const target = await file.volume.fileSystem.readLink(file.node);
  if (target.length > longestTarget) throw new NfsFailure(nfsStatus.NAMETOOLONG, 'the symlink is too long', attributes);
  writer.u32be(nfsStatus.OK);
  putPostAttributes(writer, attributes);
  writer.opaque(target);
}
