import type { WritableFormat } from '../image-format.ts';
import { checkVdi } from './check-vdi.ts';
import { signatureOffset, vdiSignature } from './header.ts';
import { openVdi } from './open-vdi.ts';
import { measureVdi, writeVdi } from './write-vdi.ts';

/** VirtualBox's own format, dynamic and static. */
export const vdiFormat: WritableFormat = {
  name: 'vdi',
  extensions: ['vdi'],
  probe(head) {
    if (head.length < signatureOffset + 4) return 0;
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    return view.getUint32(signatureOffset, true) === vdiSignature ? 100 : 0;
  },
  open: openVdi,
  write: writeVdi,
  check: checkVdi,
  measure: measureVdi,
};
