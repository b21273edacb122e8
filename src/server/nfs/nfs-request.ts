import type { MaybePromise } from '../../block/block-device.ts';
import { fileTypes, type NfsAttributes } from '../../protocol/nfs/attribute-codec.ts';
import { nfsStatus } from '../../protocol/nfs/constants.ts';
import type { FileHandle, FileHandles } from '../../protocol/nfs/file-handle.ts';
import type { RpcUser } from '../../protocol/rpc/call-codec.ts';
import type { XdrReader } from '../../protocol/rpc/xdr-reader.ts';
import type { XdrWriter } from '../../protocol/rpc/xdr-writer.ts';
import type { ExportFile, ExportFiles } from './export-files.ts';
import { NfsFailure } from './nfs-failure.ts';
import type { OpenExports, UsedExport } from './open-exports.ts';
import type { RpcCaller } from './rpc-dispatcher.ts';

/** A request, and what it is answered from. */
export interface NfsRequest {
  /** Lent until the arguments are taken. */
  readonly args: XdrReader;
  readonly procedure: number;
  readonly user: RpcUser | undefined;
  readonly caller: RpcCaller;
  readonly open: OpenExports;
  readonly handles: FileHandles;
}

/** A request whose arguments are taken. */
export interface Prepared {
  /** The most that the answer may take, in bytes. */
  readonly length: number;
  /** The words that follow a status other than 0: one is post_op_attr, and more are all false. */
  readonly failureLength: number;
  answer(writer: XdrWriter): MaybePromise<void>;
}

/** The longest READ and list over each transport, in bytes; the longest WRITE that is understood and refused. */
export const longestRead = { tcp: 2 ** 18, udp: 2 ** 15 } as const;
export const longestList = { tcp: 2 ** 16, udp: 2 ** 13 } as const;
export const longestWrite = 2 ** 15;

/** A file for the time of a request, which disposes of it. */
export interface UsedFile extends Disposable {
  readonly file: ExportFile;
  readonly files: ExportFiles;
  readonly exportId: Uint8Array;
}

/** What a handle says, which is only lent; undefined for none of ours. */
export function decodedHandle({ handles }: NfsRequest, bytes: Uint8Array): FileHandle | undefined {
  return handles.decode(bytes);
}

/** The file that a handle names. @throws NfsFailure `BADHANDLE`, or `STALE` where there is no such export any more */
export function useFile(request: NfsRequest, handle: FileHandle | undefined): MaybePromise<UsedFile> {
  if (handle === undefined) throw new NfsFailure(nfsStatus.BADHANDLE, 'the file handle is not from here');
  const { open } = request;
  const used = open.useOpen(handle.exportId);
  if (used !== undefined) return fileOf(used, handle);
  return open.useWithId(handle.exportId).then((opened) => {
    if (opened === undefined) throw new NfsFailure(nfsStatus.STALE, 'there is no such export any more');
    return fileOf(opened, handle);
  });
}

function fileOf(used: UsedExport, { node, volume }: FileHandle): UsedFile {
  const file = used.files.file(volume, node);
  if (file !== undefined) {
    return { file, files: used.files, exportId: used.id, [Symbol.dispose]: () => used[Symbol.dispose]() };
  }
  used[Symbol.dispose]();
  throw new NfsFailure(nfsStatus.STALE, 'there is no such file system in it');
}

/** Attributes of what has to be a directory. @throws NfsFailure `NOTDIR` */
export async function directoryAttributes({ file, files }: UsedFile): Promise<NfsAttributes> {
  const attributes = await files.attributes(file);
  if (attributes.type === fileTypes.directory) return attributes;
  throw new NfsFailure(nfsStatus.NOTDIR, 'it is no directory', attributes);
}

/** What clients call a file of the same export. */
export function handleOf({ handles }: NfsRequest, { exportId }: UsedFile, { node, volume }: ExportFile): Uint8Array {
  return handles.encode({ exportId, node, volume: volume.index });
}
