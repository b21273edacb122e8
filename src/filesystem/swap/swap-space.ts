/*
 * Linux's swap space: its first page, of 4096 bytes or more, ends with a signature and holds, in the machine's own byte
 * order (little-endian here),
 *
 *   byte  1024  version, 1           1036  uuid, 16 bytes
 *         1028  last_page            1052  volume name, 16 bytes
 *         1032  nr_badpages          1536  numbers of the bad pages
 *
 * Source: Linux, include/linux/swap.h (union swap_header) and mkswap(8).
 */
import type { BlockDevice } from '../../block/block-device.ts';
import { decodeUuid } from '../../bytes/guid.ts';

const signature = 'SWAPSPACE2';
const pageSizes = [4096, 8192, 16_384, 32_768, 65_536];

/** A swap space on a device. Sizes in bytes. */
export interface SwapSpace {
  readonly pageSize: number;
  /** How far it reaches, as its header has it; it may be more than the device has. */
  readonly size: number;
  readonly label: string | undefined;
  readonly uuid: string;
}

/** The swap space that a device holds; undefined for none, or one of another byte order. */
export async function findSwapSpace(device: BlockDevice): Promise<SwapSpace | undefined> {
  for (const pageSize of pageSizes) {
    if (device.size < pageSize * 2) return undefined;
    const page = new Uint8Array(pageSize);
    await device.read(page, 0);
    if (new TextDecoder('latin1').decode(page.subarray(-signature.length)) === signature) return decode(page);
  }
  return undefined;
}

function decode(page: Uint8Array): SwapSpace | undefined {
  const view = new DataView(page.buffer, page.byteOffset);
  if (view.getUint32(1024, true) !== 1) return undefined;
  const label = new TextDecoder().decode(page.subarray(1052, 1068)).replace(/\0.*$/s, '');
  return {
    pageSize: page.length,
    size: (view.getUint32(1028, true) + 1) * page.length,
    label: label === '' ? undefined : label,
    uuid: decodeUuid(page.subarray(1036, 1052)),
  };
}
