import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { corruptImage, unsupportedImage } from '../image-errors.ts';
import type { OpenImageOptions } from '../image-format.ts';
import { readTarMembers, type TarMember } from '../tar-members.ts';
import { decodeOvfDisks, type OvfDisk } from './ovf-descriptor.ts';

/** A descriptor longer than this is refused; in bytes. */
const maximumDescriptorLength = 4 * 2 ** 20;

/**
 * The member of an appliance that holds its disk; where it has several, the one that `options.member` names, by the
 * name of its file or its id.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`; `INVALID` where several could be meant, `NOT_FOUND` where none is
 */
export async function chooseDisk(file: BlockDevice, options: OpenImageOptions): Promise<TarMember> {
  const { name } = options;
  const members = await readTarMembers(file, name);
  const descriptor = members.find((member) => /\.ovf$/i.test(member.name) && member.isPlain);
  if (descriptor === undefined) throw corruptImage(name, 'it holds no OVF descriptor (a member called *.ovf)');
  if (descriptor.size > maximumDescriptorLength) {
    throw corruptImage(name, `an OVF descriptor of ${descriptor.size} bytes cannot be`);
  }
  const bytes = new Uint8Array(descriptor.size);
  if (bytes.length > 0) await file.read(bytes, descriptor.offset);
  return memberOf(chosen(decodeOvfDisks(textOf(bytes)), options), members, name);
}

/** UTF-16 is known by its mark. */
function textOf(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  return new TextDecoder().decode(bytes);
}

function chosen(disks: readonly OvfDisk[], { member, name }: OpenImageOptions): OvfDisk {
  const names = disks.map(({ href }) => href).join(', ');
  if (disks.length === 0) throw unsupportedImage(name, 'its OVF descriptor names no disk that is in a file');
  if (member !== undefined) {
    const found = disks.find(({ diskId, href }) => href === member || diskId === member);
    if (found !== undefined) return found;
    throw new VarveError('NOT_FOUND', `there is no disk ${JSON.stringify(member)} in ${name}; there are ${names}`);
  }
  const [first, second] = disks;
  if (first !== undefined && second === undefined) return first;
  throw new VarveError(
    'INVALID',
    `cannot open ${name}: it holds ${disks.length} disks: ${names}; choose one by --member`,
  );
}

function memberOf(disk: OvfDisk, members: readonly TarMember[], name: string): TarMember {
  const { compression, href, isChunked, parentRef } = disk;
  const what = `its disk ${JSON.stringify(href)}`;
  if (compression !== undefined && compression !== 'identity') {
    throw unsupportedImage(name, `${what} is compressed with ${compression}; unpack the archive and that file first`);
  }
  if (isChunked) throw unsupportedImage(name, `${what} is cut into several files`);
  if (parentRef) throw unsupportedImage(name, `${what} builds on another of its disks`);
  const wanted = new Set([href, decoded(href)].map((each) => each.replace(/^(\.\/)+/, '')));
  const member = members.find((each) => wanted.has(each.name));
  if (member === undefined) throw corruptImage(name, `${what} is not in the archive`);
  if (!member.isPlain) throw unsupportedImage(name, `${what} is no plain file in the archive`);
  return member;
}

function decoded(href: string): string {
  try {
    return decodeURIComponent(href);
  } catch {
    return href;
  }
}
