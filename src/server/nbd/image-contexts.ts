import type { FormatDevice } from '../../format/image-format.ts';
import { depthSource } from './depth-source.ts';
import { dirtySource } from './dirty-source.ts';
import type { NbdExport, StatusSource } from './nbd-export.ts';

/** The metadata contexts that an image has: its depth, where it tells, and the bitmaps in it. */
export function imageContexts(image: FormatDevice): NonNullable<NbdExport['contexts']> {
  const contexts = new Map<string, StatusSource>();
  const depths = depthSource(image);
  if (depths !== undefined) contexts.set('qemu:allocation-depth', depths);
  // What is written through us is not in a bitmap before the image is closed.
  const bitmaps = image.supports.write ? [] : (image.information().bitmaps ?? []);
  for (const { flags, name } of bitmaps) {
    const find = image.dirtyRanges?.bind(image, name);
    if (find !== undefined && !flags.includes('in-use')) {
      contexts.set(`qemu:dirty-bitmap:${name}`, dirtySource(find, image.size));
    }
  }
  return contexts;
}
