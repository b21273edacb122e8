import type { WritableFormat } from '../image-format.ts';
import { checkVhdx } from './check-vhdx.ts';
import { startsAsVhdx } from './file-header.ts';
import { measureVhdx } from './measure-vhdx.ts';
import { openVhdx } from './open-vhdx.ts';
import { writeVhdx } from './write-vhdx.ts';

/** Microsoft's newer Virtual Hard Disk, of Hyper-V since 2012. */
export const vhdxFormat: WritableFormat = {
  name: 'vhdx',
  extensions: ['vhdx'],
  probe: (head) => (startsAsVhdx(head) ? 100 : 0),
  open: openVhdx,
  write: writeVhdx,
  check: checkVhdx,
  measure: measureVhdx,
};
