/** What other files start with that are no raw disks, so that nobody takes one for a disk by mistake. */
interface ForeignFormat {
  /** With an article: `a VMDK image`. */
  readonly description: string;
  readonly magic: string;
  /** Where the magic is, in bytes from the start. */
  readonly offset: number;
}

const foreignFormats: readonly ForeignFormat[] = [
  { description: 'a tar archive', magic: 'ustar', offset: 257 },
  { description: 'a gzip-compressed file', magic: '\x1f\x8b\x08', offset: 0 },
  { description: 'an xz-compressed file', magic: '\xfd7zXZ\0', offset: 0 },
  { description: 'a zstd-compressed file', magic: '\x28\xb5\x2f\xfd', offset: 0 },
  { description: 'a bzip2-compressed file', magic: 'BZh', offset: 0 },
];

/** What a file that starts with `head` is, as far as that is known and cannot be opened here: `a VMDK image`. */
export function foreignFormat(head: Uint8Array): string | undefined {
  return foreignFormats.find(({ magic, offset }) => startsWith(head.subarray(offset), magic))?.description;
}

function startsWith(bytes: Uint8Array, magic: string): boolean {
  if (bytes.length < magic.length) return false;
  for (let index = 0; index < magic.length; index += 1) {
    if (bytes[index] !== magic.charCodeAt(index)) return false;
  }
  return true;
}
