import type { ImageFormat } from '../image-format.ts';
import { qedMagic } from './header.ts';

/** QEMU's older copy-on-write format, which is read here and not written. What reads it is loaded by whoever does. */
export const qedFormat: ImageFormat = {
  name: 'qed',
  extensions: ['qed'],
  probe(head) {
    if (head.length < 4) return 0;
    return new DataView(head.buffer, head.byteOffset, head.byteLength).getUint32(0, true) === qedMagic ? 100 : 0;
  },
  open: async (...given) => await (await import('./open-qed.ts')).openQed(...given),
  check: async (...given) => await (await import('./check-qed.ts')).checkQed(...given),
};
