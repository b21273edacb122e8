import type { FormatDevice } from '../../format/image-format.ts';
import type { StatusRun } from '../../protocol/nbd/transmission-codec.ts';
import type { StatusSource } from './nbd-export.ts';

/**
 * The context `qemu:allocation-depth`: how many files down the chain a run is found, 1 being the image itself, and 0
 * where none has it. Source: QEMU docs/interop/nbd.txt. `undefined` for formats that do not tell.
 */
export function depthSource(image: FormatDevice): StatusSource | undefined {
  if (image.map === undefined) return undefined;
  return async function* depths(offset, length): AsyncGenerator<StatusRun, undefined> {
    for await (const { depth, length: runLength, present } of image.map?.(offset, length) ?? []) {
      yield { length: runLength, flags: present ? depth + 1 : 0 };
    }
  };
}
