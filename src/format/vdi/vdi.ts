import type { WritableFormat } from '../image-format.ts';
import { signatureOffset, vdiSignature } from './header.ts';

/** VirtualBox's own format, dynamic and static. What reads and writes it is loaded by whoever does. */
export const vdiFormat: WritableFormat = {
  name: 'vdi',
  extensions: ['vdi'],
  probe(head) {
    if (head.length < signatureOffset + 4) return 0;
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    return view.getUint32(signatureOffset, true) === vdiSignature ? 100 : 0;
  },
  open: async (...given) => await (await import('./open-vdi.ts')).openVdi(...given),
  write: async (...given) => await (await import('./write-vdi.ts')).writeVdi(...given),
  check: async (...given) => await (await import('./check-vdi.ts')).checkVdi(...given),
  measure: async (...given) => await (await import('./write-vdi.ts')).measureVdi(...given),
};
