import type { WritableFormat } from '../image-format.ts';
import { hasCowdMagic } from './cowd-header.ts';
import { looksLikeDescriptor } from './descriptor.ts';
import { isHosted } from './sparse-header.ts';

/** The disks of VMware's products. What reads and writes them is loaded by whoever does. */
export const vmdkFormat: WritableFormat = {
  name: 'vmdk',
  extensions: ['vmdk'],
  probe(head) {
    if (isHosted(head) || hasCowdMagic(head)) return 100;
    return looksLikeDescriptor(head) ? 90 : 0;
  },
  open: async (...given) => await (await import('./open-vmdk.ts')).openVmdk(...given),
  write: async (...given) => await (await import('./write-vmdk.ts')).writeVmdk(...given),
  check: async (...given) => await (await import('./check-vmdk.ts')).checkVmdk(...given),
  measure: async (...given) => await (await import('./write-vmdk.ts')).measureVmdk(...given),
};
