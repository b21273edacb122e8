import type { WritableFormat } from '../image-format.ts';
import { checkVmdk } from './check-vmdk.ts';
import { looksLikeDescriptor } from './descriptor.ts';
import { hasCowdMagic } from './open-extent.ts';
import { isHosted, openVmdk } from './open-vmdk.ts';
import { measureVmdk, writeVmdk } from './write-vmdk.ts';

/** The disks of VMware's products. */
export const vmdkFormat: WritableFormat = {
  name: 'vmdk',
  extensions: ['vmdk'],
  probe(head) {
    if (isHosted(head) || hasCowdMagic(head)) return 100;
    return looksLikeDescriptor(head) ? 90 : 0;
  },
  open: openVmdk,
  write: writeVmdk,
  check: checkVmdk,
  measure: measureVmdk,
};
