import type { ImageFormat } from '../image-format.ts';
import { qcowMagic } from './header.ts';

/** The first version of QEMU's copy-on-write format, which is read here and not written. What reads it is loaded by whoever does. */
export const qcow1Format: ImageFormat = {
  name: 'qcow',
  extensions: [],
  probe(head) {
    if (head.length < 8) return 0;
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    return view.getUint32(0) === qcowMagic && view.getUint32(4) === 1 ? 100 : 0;
  },
  open: async (...given) => await (await import('./open-qcow1.ts')).openQcow1(...given),
};
