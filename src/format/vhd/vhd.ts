import type { WritableFormat } from '../image-format.ts';
import { decodeFooter, footerLength, footerType, isFooter, startsAsFooter } from './footer.ts';
import { diskSizeOf } from './geometry.ts';
import { footerAtEnd } from './read-footer.ts';

/** Microsoft's Virtual Hard Disk of Virtual PC, Hyper-V, Azure and Xen; qemu-img's `vpc`. What reads and writes it is loaded by whoever does. */
export const vhdFormat: WritableFormat = {
  name: 'vpc',
  aliases: ['vhd'],
  extensions: ['vhd', 'vpc'],
  probe(head, size, tail = head.subarray(Math.max(0, head.length - footerLength))) {
    const first = head.subarray(0, footerLength);
    if (isFooter(first) && footerType(first) !== 'fixed') return 100;
    const end = footerAtEnd(tail);
    if (end !== undefined && footerType(end.bytes) === 'fixed' && fits(end.bytes, size - end.length)) return 100;
    // Nobody starts or ends a disk with this word by chance; what is wrong with the rest of it, opening will say.
    return end !== undefined || startsAsFooter(first) || startsAsFooter(tail.subarray(-footerLength)) ? 50 : 0;
  },
  open: async (...given) => await (await import('./open-vhd.ts')).openVhd(...given),
  write: async (...given) => await (await import('./write-vhd.ts')).writeVhd(...given),
  check: async (...given) => await (await import('./check-vhd.ts')).checkVhd(...given),
  measure: async (...given) => await (await import('./measure-vhd.ts')).measureVhd(...given),
};

/** Whether the disk that a footer describes is what is before it, so that nobody takes data for a footer. */
function fits(bytes: Uint8Array, length: number): boolean {
  try {
    const footer = decodeFooter(bytes, 'probe');
    return footer.currentSize === length || diskSizeOf(footer) === length;
  } catch {
    return false;
  }
}
