import { readFileSync, statSync } from 'node:fs';
import { systemError } from '../base/varve-error.ts';
import { deviceNumber } from './device-number.ts';

/** Something that is mounted, as this process sees it. */
export interface MountEntry {
  /** The mount point. */
  readonly target: string;
  /** The number of its block device, `7:0`; of none, `0:…`. Of a Btrfs on several, one of them. */
  readonly device: string;
  /** Which directory of the file system is seen there: `/` but for bind mounts. */
  readonly root: string;
  readonly type: string;
  readonly source: string;
}

/** All that is mounted, in the order in which it was. @throws VarveError by errno */
export function mountTable(): MountEntry[] {
  try {
    return parseMountTable(readFileSync('/proc/self/mountinfo', 'utf8')).map(withBlockDevice);
  } catch (error) {
    throw systemError('look what is mounted', error);
  }
}

/**
 * Reads the text of `/proc/PID/mountinfo`. Spaces in names are written as octal numbers.
 *
 *   36 35 98:0 /root /target options optional… - type source options
 *
 * Source: proc(5).
 */
export function parseMountTable(text: string): MountEntry[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const separator = fields.indexOf('-', 6);
    if (separator === -1) return [];
    const [device = '', root = '', target = ''] = fields.slice(2, 5);
    const [type = '', source = ''] = fields.slice(separator + 1);
    return [{ target: unescaped(target), device, root: unescaped(root), type, source: unescaped(source) }];
  });
}

/** Btrfs shows a number of its own in place of its device's. */
function withBlockDevice(mount: MountEntry): MountEntry {
  if (!mount.device.startsWith('0:') || !mount.source.startsWith('/dev/')) return mount;
  const stats = statSync(mount.source, { throwIfNoEntry: false });
  return stats?.isBlockDevice() ? { ...mount, device: deviceNumber(stats.rdev) } : mount;
}

function unescaped(text: string): string {
  // Names are bytes: a character of several is several octal numbers, but only spaces, line ends and backslashes are.
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
