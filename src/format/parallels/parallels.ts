import type { ImageFormat } from '../image-format.ts';
import { checkParallels } from './check-parallels.ts';
import { parallelsMagic } from './header.ts';
import { openParallels } from './open-parallels.ts';

/** The format of Parallels' expandable disks, which is read here and not written. */
export const parallelsFormat: ImageFormat = {
  name: 'parallels',
  extensions: ['hds', 'parallels'],
  probe(head) {
    const start = Buffer.from(head.subarray(0, 16)).toString('latin1');
    return start === parallelsMagic.sectors || start === parallelsMagic.clusters ? 100 : 0;
  },
  open: openParallels,
  check: checkParallels,
};
