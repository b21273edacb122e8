import type { MaybePromise } from '../../block/block-device.ts';
import { fileTypes, type NfsAttributes, putPostAttributes } from '../../protocol/nfs/attribute-codec.ts';
import { nfsStatus } from '../../protocol/nfs/constants.ts';
import { readOverhead } from '../../protocol/nfs/reply-codec.ts';
import { decodeRead } from '../../protocol/nfs/request-codec.ts';
import type { XdrWriter } from '../../protocol/rpc/xdr-writer.ts';
import { mayRead } from './file-access.ts';
import { NfsFailure } from './nfs-failure.ts';
import { decodedHandle, longestRead, type NfsRequest, type Prepared, type UsedFile, useFile } from './nfs-request.ts';

/** READ. The file's bytes are read to where they are sent from. */
export function prepareRead(request: NfsRequest): Prepared {
  const { count: wanted, file, offset } = decodeRead(request.args);
  const handle = decodedHandle(request, file);
  const count = Math.min(wanted, longestRead[request.caller.transport]);
  const read = async (writer: XdrWriter, pending: MaybePromise<UsedFile>): Promise<void> => {
    using used = await pending;
    const attributes = await used.files.attributes(used.file);
    requireReadable(attributes, request);
    const length = Math.max(0, Math.min(count, attributes.size - offset));
    await putContent(writer, used, attributes, { offset, length });
  };
  return { length: readOverhead + count, failureLength: 1, answer: (writer) => read(writer, useFile(request, handle)) };
}

function requireReadable(attributes: NfsAttributes, { user }: NfsRequest): void {
  const { type } = attributes;
  if (type === fileTypes.directory) throw new NfsFailure(nfsStatus.ISDIR, 'it is a directory', attributes);
  if (type !== fileTypes.file) throw new NfsFailure(nfsStatus.INVAL, 'it is no file with content', attributes);
  if (!mayRead(attributes, user)) throw new NfsFailure(nfsStatus.ACCES, 'the user may not read it', attributes);
}

async function putContent(
  writer: XdrWriter,
  { file: { node, volume } }: UsedFile,
  attributes: NfsAttributes,
  { length, offset }: { readonly length: number; readonly offset: number },
): Promise<void> {
  writer.u32be(nfsStatus.OK);
  putPostAttributes(writer, attributes);
  const head = writer.position;
  const start = head + 12;
  const target = writer.bytes.subarray(start, start + length);
  const count = length === 0 ? 0 : await volume.fileSystem.read(node, target, offset);
  writer.u32be(count);
  writer.bool(offset + count >= attributes.size);
  writer.u32be(count);
  writer.skip(count);
  writer.pad(count);
}
