/*
 * A POSIX access control list as Linux hands it out (`system.posix_acl_access`), little-endian: a version, 2 (32 bit), and
 * entries of 8 bytes: e_tag (16 bit), e_perm (16 bit), e_id.
 *
 * Source: Linux, include/uapi/linux/posix_acl_xattr.h; acl(5), "SHORT TEXT FORM".
 */

const headerLength = 4;
const entryLength = 8;

/** What the tags of entries are called, and whether a number belongs to them. */
const tags: Readonly<Record<number, readonly [name: string, hasId: boolean]>> = {
  1: ['user', false],
  2: ['user', true],
  4: ['group', false],
  8: ['group', true],
  16: ['mask', false],
  32: ['other', false],
};

/** The list as setfacl(1) reads it, with numbers for names: `user::rw-,user:1000:r--,…`; undefined for what is no such list. */
export function aclText(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < headerLength || view.getUint32(0, true) !== 2) return undefined;
  const entries: string[] = [];
  for (let offset = headerLength; offset + entryLength <= bytes.length; offset += entryLength) {
    const tag = tags[view.getUint16(offset, true)];
    if (tag === undefined) return undefined;
    const permissions = view.getUint16(offset + 2, true);
    const letters = ['r', 'w', 'x'].map((letter, index) => ((permissions & (4 >> index)) === 0 ? '-' : letter));
    entries.push(`${tag[0]}:${tag[1] ? view.getUint32(offset + 4, true) : ''}:${letters.join('')}`);
  }
  return entries.join(',');
}
