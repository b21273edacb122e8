import type { FileSystemUsage } from '../../filesystem/file-system.ts';
import { postAttributesLength } from '../../protocol/nfs/attribute-codec.ts';
import { nfsStatus, procedures } from '../../protocol/nfs/constants.ts';
import { type NfsUsage, putLimits, putNameRules, putUsage } from '../../protocol/nfs/reply-codec.ts';
import { decodeHandle } from '../../protocol/nfs/request-codec.ts';
import {
  decodedHandle,
  longestList,
  longestRead,
  longestWrite,
  type NfsRequest,
  type Prepared,
  useFile,
} from './nfs-request.ts';

const caseless = ['vfat', 'exfat'];

/** FSSTAT, FSINFO and PATHCONF. */
export function prepareFileSystem(request: NfsRequest): Prepared {
  const { args, caller, procedure } = request;
  const handle = decodedHandle(request, decodeHandle(args));
  return {
    length: 4 + postAttributesLength + 64,
    failureLength: 1,
    async answer(writer) {
      using used = await useFile(request, handle);
      const { volume } = used.file;
      const attributes = await used.files.attributes(used.file);
      const usage = procedure === procedures.FSSTAT ? usageOf(await volume.usage()) : undefined;
      writer.u32be(nfsStatus.OK);
      if (usage !== undefined) {
        putUsage(writer, attributes, usage);
      } else if (procedure === procedures.FSINFO) {
        const { transport } = caller;
        const limits = { longestRead: longestRead[transport], longestWrite, longestList: longestList[transport] };
        putLimits(writer, attributes, limits);
      } else {
        putNameRules(writer, attributes, caseless.includes(volume.fileSystem.identity.type));
      }
    },
  };
}

function usageOf({ free, inodes, overhead = 0, reserved = 0, size }: FileSystemUsage): NfsUsage {
  return {
    size: Math.max(0, size - overhead),
    free,
    available: Math.max(0, free - reserved),
    files: inodes?.count ?? 0,
    freeFiles: inodes?.free ?? 0,
  };
}
