import { formatSize } from '../../base/size.ts';

/** A size for people and to the byte: `1.5 GiB (1610612736 bytes)`. */
export function exactSize(bytes: number): string {
  const short = formatSize(bytes);
  return short === `${bytes} B` ? short : `${short} (${bytes} bytes)`;
}
