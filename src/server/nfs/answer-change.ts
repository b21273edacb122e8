import { type NfsAttributes, putPostAttributes, putUnchanged } from '../../protocol/nfs/attribute-codec.ts';
import { nfsStatus, procedures } from '../../protocol/nfs/constants.ts';
import type { FileHandle } from '../../protocol/nfs/file-handle.ts';
import { decodeChange } from '../../protocol/nfs/request-codec.ts';
import { decodedHandle, type NfsRequest, type Prepared, useFile } from './nfs-request.ts';

/** The most that two of wcc_data take, in bytes. */
const changesLength = 2 * 128;

/** What would change something, which is refused, with what is as it was before. */
export function prepareChange(request: NfsRequest): Prepared {
  const { args, procedure } = request;
  const isLink = procedure === procedures.LINK;
  const touched = decodeChange(procedure, args).map((bytes) => decodedHandle(request, bytes));
  return {
    length: 4 + changesLength,
    // wcc_data of each has two of them; LINK tells of the file by post_op_attr.
    failureLength: 2 * touched.length - (isLink ? 1 : 0),
    async answer(writer) {
      const found: NfsAttributes[] = [];
      for (const handle of touched) found.push(await attributesOf(request, handle));
      writer.u32be(nfsStatus.ROFS);
      for (const [index, attributes] of found.entries()) {
        if (isLink && index === 0) putPostAttributes(writer, attributes);
        else putUnchanged(writer, attributes);
      }
    },
  };
}

async function attributesOf(request: NfsRequest, handle: FileHandle | undefined): Promise<NfsAttributes> {
  using used = await useFile(request, handle);
  return await used.files.attributes(used.file);
}
