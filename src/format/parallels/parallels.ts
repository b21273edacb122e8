import type { ImageFormat } from '../image-format.ts';
import { parallelsMagic } from './header.ts';

/** The format of Parallels' expandable disks, which is read here and not written. What reads it is loaded by whoever does. */
export const parallelsFormat: ImageFormat = {
  name: 'parallels',
  extensions: ['hds', 'parallels'],
  probe(head) {
    const start = Buffer.from(head.subarray(0, 16)).toString('latin1');
    return start === parallelsMagic.sectors || start === parallelsMagic.clusters ? 100 : 0;
  },
  open: async (...given) => await (await import('./open-parallels.ts')).openParallels(...given),
  check: async (...given) => await (await import('./check-parallels.ts')).checkParallels(...given),
};
