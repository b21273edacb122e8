import { fileTypes, type NfsAttributes } from '../../protocol/nfs/attribute-codec.ts';
import { accessBits } from '../../protocol/nfs/constants.ts';
import type { RpcUser } from '../../protocol/rpc/call-codec.ts';

/** Who does not say who he is. */
const nobody: RpcUser = { uid: 65_534, gid: 65_534, gids: [] };
const [canRead, canWrite, canExecute] = [4, 2, 1];
const anyExecute = 0o111;

/**
 * What a user may do with a file, as `accessBits`: by the bits of its mode; root may all but run what nobody may. Files and
 * directories are changed by nobody, but a device may be written to.
 */
export function accessOf(attributes: NfsAttributes, user: RpcUser = nobody): number {
  const { type } = attributes;
  const rights = rightsOf(attributes, user);
  const read = rights & canRead ? accessBits.READ : 0;
  if (type === fileTypes.directory) return read | (rights & canExecute ? accessBits.LOOKUP : 0);
  const isSpecial = type !== fileTypes.file && type !== fileTypes.symlink;
  const change = isSpecial && rights & canWrite ? accessBits.MODIFY | accessBits.EXTEND : 0;
  return read | change | (rights & canExecute ? accessBits.EXECUTE : 0);
}

/** Whether a file's content is handed out: also to its owner, and to who may only run it. */
export function mayRead(attributes: NfsAttributes, user: RpcUser = nobody): boolean {
  return user.uid === attributes.uid || (rightsOf(attributes, user) & (canRead | canExecute)) !== 0;
}

function rightsOf({ gid, mode, type, uid }: NfsAttributes, user: RpcUser): number {
  if (user.uid === 0) {
    const runs = type === fileTypes.directory || (mode & anyExecute) !== 0;
    return canRead | canWrite | (runs ? canExecute : 0);
  }
  if (user.uid === uid) return (mode >> 6) & 7;
  if (user.gid === gid || user.gids.includes(gid)) return (mode >> 3) & 7;
  return mode & 7;
}
