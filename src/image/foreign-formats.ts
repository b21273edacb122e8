/**
 * Formats that Varve knows by sight and cannot read yet, so that nobody takes such a file for the disk itself.
 *
 *   offset 0   "KDMV", "COWD", "# Disk DescriptorFile"   VMDK      Source: VMware Virtual Disk Format 5.0
 *   offset 0   "vhdxfile"                                VHDX      Source: [MS-VHDX] 2.2.1
 *   offset 0   "conectix"                                VHD       Source: Virtual Hard Disk Image Format Specification
 *   offset 64  7f 10 da be                               VDI       Source: file(1), magic/Magdir/virtual
 *   offset 0   "QFI" fb 00 00 00 01                      qcow 1    Source: as for qcow2, version 1
 *   offset 0   "QED" 00                                  QED       Source: QEMU's docs/interop/qed_spec.txt
 *   offset 0   "WithoutFreeSpace", "WithouFreSpacExt"    Parallels Source: QEMU's docs/interop/parallels.txt
 *   offset 0   1f 8b 08, "BZh", fd "7zXZ" 00, 28 b5 2f fd, offset 257 "ustar"  Sources: RFC 1952, bzip2, xz, RFC 8878, POSIX
 */
const magics: readonly (readonly [offset: number, magic: string, name: string, advice: string])[] = [
  [0, 'KDMV', 'VMDK', 'converted'],
  [0, 'COWD', 'VMDK', 'converted'],
  [0, '# Disk DescriptorFile', 'VMDK', 'converted'],
  [0, 'vhdxfile', 'VHDX', 'converted'],
  [0, 'conectix', 'VHD', 'converted'],
  [64, '\x7f\x10\xda\xbe', 'VDI', 'converted'],
  [0, 'QFI\xfb\0\0\0\x01', 'qcow version 1', 'converted'],
  [0, 'QED\0', 'QED', 'converted'],
  [0, 'WithoutFreeSpace', 'Parallels', 'converted'],
  [0, 'WithouFreSpacExt', 'Parallels', 'converted'],
  [0, '\x1f\x8b\x08', 'gzip', 'unpacked'],
  [0, 'BZh', 'bzip2', 'unpacked'],
  [0, '\xfd7zXZ\0', 'xz', 'unpacked'],
  [0, '\x28\xb5\x2f\xfd', 'zstd', 'unpacked'],
  [257, 'ustar', 'tar', 'unpacked'],
];

/** A format that is known and not read. */
export interface ForeignFormat {
  readonly name: string;
  /** What has to be done with it first: `converted`, `unpacked`. */
  readonly advice: string;
}

/** The foreign format of a file that starts with `head`, if it has one. */
export function foreignFormat(head: Uint8Array): ForeignFormat | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, 512)).toString('latin1');
  const found = magics.find(([offset, magic]) => text.startsWith(magic, offset));
  return found === undefined ? undefined : { name: found[2], advice: found[3] };
}

/** File name endings, and names for `--format`, of disk formats that cannot be written yet. */
export const foreignFormatNames: ReadonlySet<string> = new Set([
  'vmdk',
  'vhdx',
  'vhd',
  'vpc',
  'vdi',
  'qed',
  'ova',
  'hdd',
  'dmg',
]);
