import type { BlockDevice } from '../block/block-device.ts';
import { openImage } from '../format/formats.ts';
import type { FormatInformation } from '../format/image-format.ts';
import { type AddressDeviceOptions, formatAtAddress, openAddressDevice } from './address-device.ts';
import { informationInside } from './compressed-file.ts';
import type { DiskAddress } from './disk-address.ts';
import {
  type FileDisk,
  insideOf,
  type OpenFileDiskOptions,
  openDeviceDisk,
  openNothing,
  type WritableDisk,
} from './file-disk.ts';
import { filteredFile, filteredImage } from './filters/filter-chain.ts';

/** How a disk that others serve is opened. */
export interface AddressDiskOptions
  extends Pick<
      OpenFileDiskOptions,
      'askSecret' | 'filters' | 'format' | 'internalSnapshot' | 'member' | 'signal' | 'unpackDirectory'
    >,
    Pick<AddressDeviceOptions, 'connections'> {}

/**
 * Opens the disk at an address for reading. What an NBD server serves is the disk's content, and is looked into for no
 * format unless one is named; what is at an HTTP address is a file, taken as files of this machine are.
 *
 * @throws VarveError as `openAddressDevice` and `openFileDisk` do
 */
export async function openAddressDisk(address: DiskAddress, options: AddressDiskOptions = {}): Promise<FileDisk> {
  const device = await openAddressDevice(address, options);
  const format = formatAtAddress(address, options.format);
  return await openDeviceDisk(device, { kind: 'address', label: address.label }, { ...options, format });
}

/**
 * Opens the disk at an address to be changed.
 *
 * @throws VarveError as `openAddressDisk` does, and `READ_ONLY`
 */
export async function openWritableAddressDisk(
  address: DiskAddress,
  options: AddressDiskOptions = {},
): Promise<WritableDisk> {
  const { askSecret, connections, member } = options;
  const device = await openAddressDevice(address, { connections, writable: true });
  const context = { label: address.label, unpack: async (each: BlockDevice) => each, writable: true };
  const file = await filteredFile(device, options.filters, context);
  const opened = await openImage(file, {
    name: address.label,
    format: formatAtAddress(address, options.format),
    writable: true,
    ...(askSecret === undefined ? {} : { askSecret }),
    ...(member === undefined ? {} : { member }),
  });
  const image = await filteredImage(opened, options.filters, address.label);
  return { label: address.label, image, [Symbol.asyncDispose]: () => Promise.resolve(image[Symbol.asyncDispose]()) };
}

/**
 * What the image at an address says of itself. A file that it builds on is named, not opened.
 *
 * @throws VarveError as `openAddressDisk` does
 */
export async function addressInformation(address: DiskAddress, given?: string): Promise<FormatInformation> {
  const format = formatAtAddress(address, given);
  const device = await openAddressDevice(address);
  const { file, packing } = await insideOf(device, 'address', address.label, { format });
  const options = { informationOnly: true, openBacking: openNothing, openPart: openNothing };
  await using opened = await openImage(file, { name: address.label, format, ...options });
  return informationInside(opened.information(), packing);
}
