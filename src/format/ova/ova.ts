import type { BlockDevice } from '../../block/block-device.ts';
import { unsupportedImage } from '../image-errors.ts';
import type { CheckImageOptions, CheckReport, FormatDevice, ImageFormat, OpenImageOptions } from '../image-format.ts';
import { MemberDevice } from '../member-device.ts';
import { refuseWritable } from '../read-only-format.ts';
import type { TarMember } from '../tar-members.ts';
import { chooseDisk } from './choose-disk.ts';
import { ovaDevice } from './ova-device.ts';
import { looksLikeOva } from './probe-ova.ts';

const headLength = 65536;
const tailLength = 512;

/**
 * Virtual appliances: a tar archive with an OVF descriptor and disks, each of which has one of the formats `disks`.
 */
export function ovaFormat(disks: readonly ImageFormat[]): ImageFormat {
  return {
    name: 'ova',
    extensions: ['ova'],
    probe: (head) => (looksLikeOva(head) ? 100 : 0),
    open: (file, options) => openOva(file, options, disks),
    check: (file, options) => checkOva(file, options, disks),
  };
}

async function openOva(
  file: BlockDevice,
  options: OpenImageOptions,
  disks: readonly ImageFormat[],
): Promise<FormatDevice> {
  refuseWritable('OVA', options);
  const { device, format, member, name } = await findDisk(file, options, disks);
  // Names of other files would mean some that are not in the archive, so no hook goes with it.
  const { informationOnly = false } = options;
  const disk = await format.open(device, { name, informationOnly });
  return ovaDevice(disk, member, file.size);
}

/** Checks the disk of an appliance that has one. */
async function checkOva(
  file: BlockDevice,
  options: CheckImageOptions,
  disks: readonly ImageFormat[],
): Promise<CheckReport> {
  if (options.repair !== undefined) throw unsupportedImage(options.name, 'OVA files are checked here, not repaired');
  const { device, format, member, name } = await findDisk(file, options, disks);
  if (format.check === undefined) throw unsupportedImage(name, `${format.name} images are not checked here`);
  const report = await format.check(device, { ...options, name });
  const { imageEndOffset } = report;
  return imageEndOffset === undefined ? report : { ...report, imageEndOffset: imageEndOffset + member.offset };
}

interface FoundDisk {
  readonly device: MemberDevice;
  readonly format: ImageFormat;
  readonly member: TarMember;
  /** What errors call the disk. */
  readonly name: string;
}

async function findDisk(
  file: BlockDevice,
  options: OpenImageOptions,
  disks: readonly ImageFormat[],
): Promise<FoundDisk> {
  const member = await chooseDisk(file, options);
  const device = new MemberDevice(file, member);
  const format = await formatOf(device, disks);
  if (format === undefined) throw unsupportedImage(options.name, await unknownDisk(device, member.name));
  return { device, format, member, name: `${member.name} in ${options.name}` };
}

async function formatOf(device: BlockDevice, disks: readonly ImageFormat[]): Promise<ImageFormat | undefined> {
  const head = new Uint8Array(Math.min(headLength, device.size));
  const tail = new Uint8Array(Math.min(tailLength, device.size));
  if (device.size > 0) {
    await device.read(head, 0);
    await device.read(tail, device.size - tail.length);
  }
  const sure = disks.map((format) => ({ format, confidence: format.probe(head, device.size, tail) }));
  const best = sure.reduce((first, second) => (second.confidence > first.confidence ? second : first));
  // Raw is what is nothing else, and in an appliance that is rather something unknown.
  return best.confidence > 1 ? best.format : undefined;
}

async function unknownDisk(device: BlockDevice, name: string): Promise<string> {
  const magic = new Uint8Array(Math.min(2, device.size));
  if (magic.length > 0) await device.read(magic, 0);
  const what = `its disk ${JSON.stringify(name)}`;
  const isGzip = magic[0] === 0x1f && magic[1] === 0x8b;
  return isGzip
    ? `${what} is compressed with gzip; unpack the archive and that file first`
    : `${what} has no known format`;
}
