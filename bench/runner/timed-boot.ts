import type { Lab } from '../../test/netboot/lab.ts';
import type { MachineOptions } from '../../test/netboot/machine.ts';

/** The parts of a boot, each up to what a machine prints on its console at its end. */
const marks = {
  /** The firmware starts, and has an address. */
  address: /net0: 10\./,
  /** The script, kernel and initramfs; where the disk's own boot loader starts, up to that. */
  loader: /initrd\.img\.\.\.[^a-z]* ok|Booting from SAN device/,
  /** The kernel, up to the initramfs; a boot loader gets both from the disk. */
  kernel: /Loading, please wait/,
  /** Drivers. */
  initramfs: /Begin: Mounting root file system/,
  /** The network again, the disk, and what is on it. */
  root: /^room: \S+ runs from/m,
} as const;

export type BootPart = keyof typeof marks;

/** How long each part of a boot took, in milliseconds. */
export type BootTimes = Readonly<Record<BootPart, number>>;

export const bootParts = Object.keys(marks) as readonly BootPart[];

/** Switches a machine on, and off when it has a shell. */
export async function timeBoot(lab: Lab, options: MachineOptions): Promise<BootTimes> {
  let last = performance.now();
  await using machine = lab.boot(options);
  const times: Partial<Record<BootPart, number>> = {};
  for (const part of bootParts) {
    await machine.waitFor(marks[part]);
    const now = performance.now();
    times[part] = now - last;
    last = now;
  }
  return times as BootTimes;
}
