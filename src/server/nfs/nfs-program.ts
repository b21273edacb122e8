import type { MaybePromise } from '../../block/block-device.ts';
import { log } from '../../log/log.ts';
import { putPostAttributes } from '../../protocol/nfs/attribute-codec.ts';
import { nfsVersion, procedures } from '../../protocol/nfs/constants.ts';
import type { FileHandles } from '../../protocol/nfs/file-handle.ts';
import type { RpcCall } from '../../protocol/rpc/call-codec.ts';
import { programs } from '../../protocol/rpc/constants.ts';
import { prepareChange } from './answer-change.ts';
import { prepareFile } from './answer-file.ts';
import { prepareFileSystem } from './answer-file-system.ts';
import { prepareList } from './answer-list.ts';
import { prepareLookup } from './answer-lookup.ts';
import { prepareRead } from './answer-read.ts';
import { NfsFailure, nfsStatusOf } from './nfs-failure.ts';
import type { NfsRequest, Prepared } from './nfs-request.ts';
import type { OpenExports } from './open-exports.ts';
import type { RpcAnswer, RpcCaller, RpcProgram } from './rpc-dispatcher.ts';

type Prepare = (request: NfsRequest) => Prepared;

const { CREATE, LINK, MKDIR, MKNOD, REMOVE, RENAME, RMDIR, SETATTR, SYMLINK, WRITE, ...others } = procedures;

/** What takes the arguments of each. */
const prepares = new Map<number, Prepare>([
  [others.GETATTR, prepareFile],
  [others.ACCESS, prepareFile],
  [others.READLINK, prepareFile],
  [others.LOOKUP, prepareLookup],
  [others.READ, prepareRead],
  [others.READDIR, prepareList],
  [others.READDIRPLUS, prepareList],
  ...[others.FSSTAT, others.FSINFO, others.PATHCONF].map((each) => [each, prepareFileSystem] as const),
  ...[SETATTR, WRITE, CREATE, MKDIR, SYMLINK, MKNOD, REMOVE, RMDIR, RENAME, LINK, others.COMMIT].map(
    (each) => [each, prepareChange] as const,
  ),
]);

/** Answers for the files of exports. Hot: it is called for each request. */
export class NfsProgram implements RpcProgram {
  readonly number = programs.NFS;
  readonly version = nfsVersion;
  readonly #open: OpenExports;
  readonly #handles: FileHandles;

  constructor(open: OpenExports, handles: FileHandles) {
    this.#open = open;
    this.#handles = handles;
  }

  prepare(call: RpcCall, caller: RpcCaller): RpcAnswer | undefined {
    const { args, procedure, user } = call;
    const request = { args, procedure, user, caller, open: this.#open, handles: this.#handles };
    const prepared = prepares.get(procedure)?.(request);
    if (prepared === undefined) return undefined;
    const { answer, failureLength, length } = prepared;
    return (reply): MaybePromise<void> => {
      const fail = (error: unknown): void => {
        const status = nfsStatusOf(error);
        if (!(error instanceof NfsFailure)) log(1, 'a request failed: %s', (error as Error).message);
        const writer = reply.begin(length);
        writer.u32be(status);
        const attributes = error instanceof NfsFailure ? error.attributes : undefined;
        if (failureLength === 1) putPostAttributes(writer, attributes);
        else for (let words = 0; words < failureLength; words += 1) writer.bool(false);
      };
      const writer = reply.begin(length);
      try {
        return answer(writer)?.catch(fail);
      } catch (error) {
        fail(error);
      }
    };
  }
}
