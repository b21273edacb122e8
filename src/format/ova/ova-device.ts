import type { FormatDevice, FormatInformation, MappedExtent } from '../image-format.ts';
import { mapOf } from '../map-of.ts';
import type { TarMember } from '../tar-members.ts';

/** The disk of an appliance, as `disk` in the archive's member, told of in terms of the archive of `fileSize` bytes. */
export function ovaDevice(disk: FormatDevice, member: TarMember, fileSize: number): FormatDevice {
  const information = (): FormatInformation => {
    const inside = disk.information();
    const features = [`${disk.format} in ${member.name}`, ...(inside.features ?? [])];
    return { ...inside, format: 'ova', fileSize, features };
  };
  return {
    format: 'ova',
    size: disk.size,
    blockSize: disk.blockSize,
    supports: disk.supports,
    information,
    read: (target, offset) => disk.read(target, offset),
    write: (source, offset) => disk.write(source, offset),
    zero: (offset, length) => disk.zero(offset, length),
    trim: (offset, length) => disk.trim(offset, length),
    flush: () => disk.flush(),
    extents: (offset, length) => disk.extents(offset, length),
    map: (offset, length) => mapInArchive(disk, member, offset, length),
    [Symbol.asyncDispose]: () => Promise.resolve(disk[Symbol.asyncDispose]()),
  };
}

async function* mapInArchive(
  disk: FormatDevice,
  member: TarMember,
  offset: number,
  length: number,
): AsyncGenerator<MappedExtent> {
  for await (const extent of mapOf(disk, offset, length)) {
    const isHere = extent.depth === 0 && extent.hostOffset !== undefined;
    yield isHere ? { ...extent, hostOffset: extent.hostOffset + member.offset } : extent;
  }
}
