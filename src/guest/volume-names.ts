import { deviceName } from './fstab.ts';
import type { GuestVolume } from './guest-volume.ts';

/** Whether it is a volume that an fstab or crypttab calls so: `UUID=…`, `/dev/vg/root`, `/dev/disk/by-label/…`. */
export function isCalled({ aliases, identity, name, partition }: GuestVolume, device: string): boolean {
  const { key, value } = deviceName(device);
  switch (key) {
    case 'UUID':
      return isSame(identity?.uuid, value);
    case 'LABEL':
      return identity?.label === value;
    case 'PARTUUID':
      return isSame(partition?.id, value);
    case 'PARTLABEL':
      return partition?.name === value;
    default:
      return name === value || aliases.includes(value) || name === asFirstDisk(value);
  }
}

/** Hexadecimal digits may be large or small. */
function isSame(one: string | undefined, other: string): boolean {
  return one?.toLowerCase() === other.toLowerCase();
}

/** The guest's disk may be called otherwise there: the number is what counts. */
function asFirstDisk(path: string): string | undefined {
  const [, number] = /^\/dev\/(?:[sv]d[a-z]|xvd[a-z]|(?:nvme\d+n\d+|mmcblk\d+)p)(\d+)$/.exec(path) ?? [];
  return number === undefined ? undefined : `/dev/sda${number}`;
}
