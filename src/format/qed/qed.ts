import type { ImageFormat } from '../image-format.ts';
import { checkQed } from './check-qed.ts';
import { qedMagic } from './header.ts';
import { openQed } from './open-qed.ts';

/** QEMU's older copy-on-write format, which is read here and not written. */
export const qedFormat: ImageFormat = {
  name: 'qed',
  extensions: ['qed'],
  probe(head) {
    if (head.length < 4) return 0;
    return new DataView(head.buffer, head.byteOffset, head.byteLength).getUint32(0, true) === qedMagic ? 100 : 0;
  },
  open: openQed,
  check: checkQed,
};
