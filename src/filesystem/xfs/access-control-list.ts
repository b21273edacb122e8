/*
 * A POSIX access control list, on XFS (big-endian) and as Linux hands it out (little-endian).
 *
 *   XFS      0  acl_cnt        entries: ae_tag, ae_id, ae_perm (16 bit), two bytes of nothing
 *   Linux    0  version, 2     entries: e_tag (16 bit), e_perm (16 bit), e_id, ffffffff where it has none
 *
 * Source: Linux, fs/xfs/libxfs/xfs_format.h and include/uapi/linux/posix_acl_xattr.h (the layouts).
 */
const entryLength = 12;
const user = 2;
const group = 8;
const nobody = 0xffff_ffff;

/** The list as Linux hands it out. @throws what `corrupt` makes of a reason */
export function aclFromDisk(bytes: Uint8Array, corrupt: (why: string) => Error): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = bytes.length < 4 ? 0 : view.getUint32(0);
  if (bytes.length < 4 + count * entryLength) throw corrupt('has an access control list that is cut off');
  const list = new DataView(new ArrayBuffer(4 + count * 8));
  list.setUint32(0, 2, true);
  for (let index = 0; index < count; index++) {
    const offset = 4 + index * entryLength;
    const tag = view.getUint32(offset);
    list.setUint16(4 + index * 8, tag, true);
    list.setUint16(6 + index * 8, view.getUint16(offset + 8), true);
    list.setUint32(8 + index * 8, tag === user || tag === group ? view.getUint32(offset + 4) : nobody, true);
  }
  return new Uint8Array(list.buffer);
}
