/*
 * A POSIX access control list, on an ext disk and as Linux hands it out; little-endian.
 *
 *   ext      0  version, 1        entries: e_tag (16 bit), e_perm (16 bit), e_id only for one user or group
 *   Linux    0  version, 2        entries: e_tag (16 bit), e_perm (16 bit), e_id, ffffffff where it has none
 *
 * Source: Linux, fs/ext4/acl.h and include/uapi/linux/posix_acl_xattr.h (the layouts).
 */
import { ByteReader } from '../../bytes/byte-reader.ts';

const user = 2;
const group = 8;
const nobody = 0xffff_ffff;

/** The list as Linux hands it out. @throws what `corrupt` makes of a reason */
export function aclFromDisk(bytes: Uint8Array, corrupt: (why: string) => Error): Uint8Array {
  const reader = new ByteReader(bytes, 'access control list');
  if (bytes.length < 4 || reader.u32le() !== 1) throw corrupt('has an access control list of an unknown version');
  const entries: number[][] = [];
  while (reader.remaining > 0) {
    if (reader.remaining < 4) throw corrupt('has an access control list that is cut off');
    const tag = reader.u16le();
    const permissions = reader.u16le();
    const hasId = tag === user || tag === group;
    if (hasId && reader.remaining < 4) throw corrupt('has an access control list that is cut off');
    entries.push([tag, permissions, hasId ? reader.u32le() : nobody]);
  }
  const list = new DataView(new ArrayBuffer(4 + entries.length * 8));
  list.setUint32(0, 2, true);
  entries.forEach(([tag, permissions, id], index) => {
    list.setUint16(4 + index * 8, tag!, true);
    list.setUint16(6 + index * 8, permissions!, true);
    list.setUint32(8 + index * 8, id!, true);
  });
  return new Uint8Array(list.buffer);
}
