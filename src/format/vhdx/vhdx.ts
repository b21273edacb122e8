import type { WritableFormat } from '../image-format.ts';
import { startsAsVhdx } from './file-header.ts';

/** Microsoft's newer Virtual Hard Disk, of Hyper-V since 2012. What reads and writes it is loaded by whoever does. */
export const vhdxFormat: WritableFormat = {
  name: 'vhdx',
  extensions: ['vhdx'],
  probe: (head) => (startsAsVhdx(head) ? 100 : 0),
  open: async (...given) => await (await import('./open-vhdx.ts')).openVhdx(...given),
  write: async (...given) => await (await import('./write-vhdx.ts')).writeVhdx(...given),
  check: async (...given) => await (await import('./check-vhdx.ts')).checkVhdx(...given),
  measure: async (...given) => await (await import('./measure-vhdx.ts')).measureVhdx(...given),
};
