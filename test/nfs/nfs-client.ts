import { mountProcedures, procedures } from '../../src/protocol/nfs/constants.ts';
import { programs } from '../../src/protocol/rpc/constants.ts';
import type { XdrReader } from '../../src/protocol/rpc/xdr-reader.ts';
import { type RpcArgument, type RpcCallOptions, RpcClient } from './rpc-client.ts';

/** What is told of a file. */
export interface SeenAttributes {
  readonly type: number;
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly size: number;
  readonly used: number;
  readonly device: readonly [number, number];
  readonly fsid: bigint;
  readonly fileid: number;
  /** Of the last change, whole seconds. */
  readonly modified: number;
}

/** A name in a directory. */
export interface SeenName {
  readonly name: Buffer;
  readonly fileid: number;
  readonly cookie: bigint;
  readonly attributes: SeenAttributes | undefined;
  readonly handle: Uint8Array | undefined;
}

/** The rest of a reply whose accept_stat has to be 0, and what its status is. */
export interface NfsReply {
  readonly status: number;
  readonly rest: XdrReader;
}

/** A client of NFS for tests. */
export class NfsClient implements AsyncDisposable {
  readonly rpc: RpcClient;

  private constructor(rpc: RpcClient) {
    this.rpc = rpc;
  }

  static async connect(port: number): Promise<NfsClient> {
    return new NfsClient(await RpcClient.connect(port));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rpc[Symbol.asyncDispose]();
  }

  /** The handle of a path that is mounted, or the status. */
  async mount(path: string): Promise<Uint8Array | number> {
    const reply = await this.rpc.call([programs.MOUNT, 3, mountProcedures.MNT], [Buffer.from(path)]);
    if (reply.u32be() !== 0) throw new Error('the call was not done');
    const status = reply.u32be();
    return status === 0 ? reply.opaque(64).slice() : status;
  }

  async call(
    procedure: keyof typeof procedures,
    args: readonly RpcArgument[],
    options?: RpcCallOptions,
  ): Promise<NfsReply> {
    const rest = await this.rpc.call([programs.NFS, 3, procedures[procedure]], args, options);
    const accepted = rest.u32be();
    if (accepted !== 0) throw new Error(`accept_stat ${accepted}`);
    return { status: rest.u32be(), rest };
  }

  /** A name's handle, or the status. */
  async lookup(directory: Uint8Array, name: string, options?: RpcCallOptions): Promise<Uint8Array | number> {
    const { rest, status } = await this.call('LOOKUP', [directory, Buffer.from(name)], options);
    return status === 0 ? rest.opaque(64).slice() : status;
  }

  async attributes(file: Uint8Array): Promise<SeenAttributes> {
    const { rest, status } = await this.call('GETATTR', [file]);
    if (status !== 0) throw new Error(`status ${status}`);
    return readAttributes(rest);
  }

  async read(file: Uint8Array, offset: number, count: number): Promise<{ data: Buffer; isEnd: boolean }> {
    const { rest, status } = await this.call('READ', [file, BigInt(offset), count]);
    if (status !== 0) throw new Error(`status ${status}`);
    if (rest.bool()) readAttributes(rest);
    rest.u32be();
    const isEnd = rest.bool();
    return { data: Buffer.from(rest.opaque(count)), isEnd };
  }

  /** One answer's names, and whether these were the last. */
  async list(
    directory: Uint8Array,
    cookie: bigint,
    { isPlus = true, length = 2 ** 15 } = {},
  ): Promise<{ names: SeenName[]; isEnd: boolean }> {
    const args = isPlus ? [directory, cookie, 0n, length, length] : [directory, cookie, 0n, length];
    const { rest, status } = await this.call(isPlus ? 'READDIRPLUS' : 'READDIR', args);
    if (status !== 0) throw new Error(`status ${status}`);
    if (rest.bool()) readAttributes(rest);
    rest.skip(8);
    const names: SeenName[] = [];
    while (rest.bool()) {
      const fileid = rest.u64be();
      const name = Buffer.from(rest.opaque(255));
      const next = rest.opaque64be();
      const attributes = isPlus && rest.bool() ? readAttributes(rest) : undefined;
      const handle = isPlus && rest.bool() ? rest.opaque(64).slice() : undefined;
      names.push({ name, fileid, cookie: next, attributes, handle });
    }
    const isEnd = rest.bool();
    if (rest.remaining > 0) throw new Error('something follows after the end');
    return { names, isEnd };
  }

  /** All names. */
  async listAll(directory: Uint8Array, options: { isPlus?: boolean; length?: number } = {}): Promise<SeenName[]> {
    const all: SeenName[] = [];
    for (let cookie = 0n; ; cookie = all.at(-1)!.cookie) {
      const { isEnd, names } = await this.list(directory, cookie, options);
      all.push(...names);
      if (isEnd) return all;
    }
  }
}

/** Reads fattr3. */
export function readAttributes(reader: XdrReader): SeenAttributes {
  const [type, mode, links, uid] = [reader.u32be(), reader.u32be(), reader.u32be(), reader.u32be()];
  reader.skip(4);
  const [size, used] = [reader.u64be(), reader.u64be()];
  const device = [reader.u32be(), reader.u32be()] as const;
  const [fsid, fileid] = [reader.opaque64be(), reader.u64be()];
  reader.skip(8);
  const modified = reader.u32be();
  reader.skip(12);
  return { type, mode, links, uid, size, used, device, fsid, fileid, modified };
}
