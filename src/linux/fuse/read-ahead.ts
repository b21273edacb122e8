import { writeFileSync } from 'node:fs';

const kibibyte = 1024;

/**
 * Has the kernel read up to `length` bytes ahead in the files of a mounted file system whose number is `device`, `0:53`. Only
 * root may say so; for others it stays at 128 KiB.
 */
export function setReadAhead(device: string, length: number): void {
  try {
    writeFileSync(`/sys/class/bdi/${device}/read_ahead_kb`, `${length / kibibyte}`);
  } catch {
    // It is only slower.
  }
}
