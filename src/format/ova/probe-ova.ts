import { alignUp } from '../../bytes/align.ts';
import { decodePaxAttributes } from '../pax-attributes.ts';
import { decodeTarHeader, isTarHeader, tarBlockSize } from '../tar-header.ts';

/** Whether a file that starts with `head` is a tar archive whose first member is an OVF descriptor, as OVF demands. */
export function looksLikeOva(head: Uint8Array): boolean {
  try {
    return /\.ovf$/i.test(firstMemberName(head) ?? '');
  } catch {
    return false;
  }
}

function firstMemberName(head: Uint8Array): string | undefined {
  let longName: string | undefined;
  for (let offset = 0; isTarHeader(head.subarray(offset, offset + tarBlockSize)); ) {
    const { name, size, typeflag } = decodeTarHeader(head.subarray(offset, offset + tarBlockSize), 'archive');
    if (!/[xgLK]/.test(typeflag)) return longName ?? name;
    const start = offset + tarBlockSize;
    const content = head.subarray(start, start + size);
    if (typeflag === 'x') longName = decodePaxAttributes(content, 'archive').get('path');
    if (typeflag === 'L') longName = new TextDecoder().decode(content).replace(/\0.*$/s, '');
    offset = start + alignUp(size, tarBlockSize);
  }
  return undefined;
}
