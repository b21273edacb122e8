import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { MemberDevice } from '../../format/member-device.ts';
import { SparseMemberDevice } from '../../format/sparse-member-device.ts';
import { type TarMember, tarMembers } from '../../format/tar-members.ts';
import type { FileFilter } from './filter-chain.ts';

/** So many names are listed where the one that was asked for is not there. */
const listedNames = 10;

/** `tar=disk.img`: the file of that name in a tar archive, which may be compressed. It is only read. */
export function tarFile(name: string): Pick<FileFilter, 'open'> {
  return {
    async open(file, { label, unpack, writable }) {
      if (writable) {
        await file[Symbol.asyncDispose]();
        throw new VarveError('READ_ONLY', `a file in a tar archive is only read; open ${label} with --read-only`);
      }
      const archive = await unpack(file);
      try {
        const member = await findMember(archive, name, label);
        const { pieces, size } = member;
        return pieces === undefined
          ? new MemberDevice(archive, member)
          : new SparseMemberDevice(archive, { pieces, size });
      } catch (error) {
        await archive[Symbol.asyncDispose]();
        throw error;
      }
    },
  };
}

async function findMember(archive: BlockDevice, name: string, label: string): Promise<TarMember> {
  const wanted = name.replace(/^(\.\/)+/, '');
  const others: string[] = [];
  let found: TarMember | undefined;
  // Of several of one name the last one counts, as for tar.
  for await (const member of tarMembers(archive, label)) {
    if (member.name === wanted) found = member;
    else if (others.length <= listedNames && !member.name.endsWith('/')) others.push(member.name);
  }
  if (found === undefined) throw new VarveError('NOT_FOUND', `there is no ${name} in ${label}; ${listed(others)}`);
  if (found.isPlain || found.pieces !== undefined) return found;
  throw new VarveError('UNSUPPORTED', `${name} in ${label} is a link or a directory, and no file`);
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return 'it holds no files';
  const shown = names.slice(0, listedNames).join(', ');
  return names.length > listedNames ? `it holds ${shown}, and more` : `it holds ${shown}`;
}
