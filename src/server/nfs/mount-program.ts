import { isVarveError } from '../../base/varve-error.ts';
import { bytesOf, textOf } from '../../guest/guest-tree.ts';
import { log } from '../../log/log.ts';
import { fileTypes } from '../../protocol/nfs/attribute-codec.ts';
import { longestHandle, mountProcedures, mountVersion, nfsStatus } from '../../protocol/nfs/constants.ts';
import type { FileHandles } from '../../protocol/nfs/file-handle.ts';
import { decodePath, type MountEntry, putExports, putMounted, putMounts } from '../../protocol/nfs/mount-codec.ts';
import type { RpcCall } from '../../protocol/rpc/call-codec.ts';
import { programs } from '../../protocol/rpc/constants.ts';
import type { ExportFile } from './export-files.ts';
import type { NfsExports } from './nfs-export.ts';
import { NfsFailure, nfsStatusOf } from './nfs-failure.ts';
import type { OpenExports, UsedExport } from './open-exports.ts';
import type { RpcAnswer, RpcCaller, RpcProgram } from './rpc-dispatcher.ts';

/** Somebody has asked to mount something, or said that he does not use it any more. */
export interface MountEvent {
  /** The client's address. */
  readonly client: string;
  readonly method: 'mount' | 'unmount';
  /** As it was asked for; empty for all that he has mounted. */
  readonly path: string;
  /** Why it could not be mounted; left out where it was. */
  readonly failure?: string;
}

/** What MOUNT answers from. */
export interface MountProgramOptions {
  readonly exports: NfsExports;
  readonly open: OpenExports;
  readonly handles: FileHandles;
  readonly onEvent: (event: MountEvent) => void;
}

/** Who has mounted what is remembered of so many; the rest is not told. */
const mostEntries = 1024;
/** In bytes; of what is sent to an address that may be somebody else's, much less. */
const listLength = { tcp: 2 ** 16, udp: 2 ** 10 } as const;
const replyLength = 4 + 4 + longestHandle + 12;

/** Gives clients the handles of roots. */
export class MountProgram implements RpcProgram {
  readonly number = programs.MOUNT;
  readonly version = mountVersion;
  readonly #options: MountProgramOptions;
  /** By host and path. */
  readonly #mounts = new Map<string, MountEntry>();

  constructor(options: MountProgramOptions) {
    this.#options = options;
  }

  prepare({ args, procedure }: RpcCall, { address, transport }: RpcCaller): RpcAnswer | undefined {
    const room = listLength[transport];
    switch (procedure) {
      case mountProcedures.MNT: {
        const path = textOf(decodePath(args));
        return async (reply) => {
          const writer = reply.begin(replyLength);
          const handle = await this.#mount(path, address);
          if (handle instanceof Uint8Array) putMounted(writer, handle);
          else writer.u32be(handle);
        };
      }
      case mountProcedures.UMNT: {
        const path = textOf(decodePath(args));
        return (reply) => {
          reply.begin(0);
          this.#forget(address, path);
        };
      }
      case mountProcedures.UMNTALL:
        return (reply) => {
          reply.begin(0);
          this.#forget(address, '');
        };
      case mountProcedures.DUMP:
        return (reply) => putMounts(reply.begin(room), this.#mounts.values(), room);
      case mountProcedures.EXPORT:
        return (reply) => putExports(reply.begin(room), this.#paths(), room);
      default:
        return undefined;
    }
  }

  *#paths(): Iterable<string> {
    for (const name of this.#options.exports.list()) yield `/${name}`;
  }

  /** The handle, or the status. */
  async #mount(path: string, client: string): Promise<Uint8Array | number> {
    const { handles, onEvent } = this.#options;
    try {
      const found = await this.#find(path);
      if (found === undefined) throw new NfsFailure(nfsStatus.NOENT, 'there is no such export');
      using used = found.used;
      const { node, volume } = found.file;
      const key = `${client} ${path}`;
      if (this.#mounts.size < mostEntries) this.#mounts.set(key, { host: client, path });
      onEvent({ client, method: 'mount', path });
      return handles.encode({ exportId: used.id, volume: volume.index, node });
    } catch (error) {
      const failure = (error as Error).message;
      log(1, '%s cannot mount %s: %s', client, path, failure);
      onEvent({ client, method: 'mount', path, failure });
      return nfsStatusOf(error);
    }
  }

  /** An export, and the directory in it, whichever part of a path names which. */
  async #find(path: string): Promise<{ readonly used: UsedExport; readonly file: ExportFile } | undefined> {
    const names = path.split('/').filter((name) => name !== '');
    for (let count = names.length; count >= 0; count -= 1) {
      const found = await this.#options.exports.find(names.slice(0, count).join('/'));
      const used = found && (await this.#options.open.use(found));
      if (used === undefined) continue;
      try {
        return { used, file: await directoryIn(used, names.slice(count)) };
      } catch (error) {
        used[Symbol.dispose]();
        throw error;
      }
    }
    return undefined;
  }

  #forget(client: string, path: string): void {
    this.#options.onEvent({ client, method: 'unmount', path });
    for (const [key, { host, path: mounted }] of this.#mounts) {
      if (host === client && (path === '' || path === mounted)) this.#mounts.delete(key);
    }
  }
}

/** Symlinks are not followed on the way: they are the client's to follow. */
async function directoryIn({ files }: UsedExport, names: readonly string[]): Promise<ExportFile> {
  let file = files.root;
  for (const name of names) {
    const next = await lookup(files, file, name);
    if (next === undefined) throw new NfsFailure(nfsStatus.NOENT, `there is no ${name} in it`);
    file = next;
  }
  const { type } = await files.attributes(file);
  if (type !== fileTypes.directory) throw new NfsFailure(nfsStatus.NOTDIR, 'it is no directory');
  return file;
}

async function lookup(files: UsedExport['files'], file: ExportFile, name: string): Promise<ExportFile | undefined> {
  const { type } = await files.attributes(file);
  if (type !== fileTypes.directory) return undefined;
  try {
    return await files.lookup(file, bytesOf(name));
  } catch (error) {
    if (isVarveError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}
