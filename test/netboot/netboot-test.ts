import { test } from 'node:test';
import { type GuestKernel, guestKernel } from '../guest/guest-kernel.ts';
import { initramfsFiles } from './debian-initramfs.ts';
import { skipWithoutLab } from './lab.ts';
import { efiFirmware } from './machine.ts';
import { roomDiskFiles } from './room-disk.ts';
import { RoomLab } from './room-lab.ts';

/** What a test takes besides QEMU and a network. */
export interface NetbootNeeds {
  /** A loader is needed, and QEMU's firmware for EFI. */
  readonly efi?: boolean;
  /** False makes no image. */
  readonly image?: boolean;
  readonly programs?: readonly string[];
  /** Files, each with the Debian package that has it. */
  readonly files?: Readonly<Record<string, string>>;
}

const efiFiles = { [efiFirmware.code]: 'ovmf', '/usr/lib/ipxe/snponly.efi': 'ipxe' };
const biosFiles = { '/usr/lib/ipxe/qemu/pxe-virtio.rom': 'ipxe-qemu' };

/** A test with a lab of its own; skipped, with the reason, where there can be none. */
export function netbootTest(name: string, needs: NetbootNeeds, body: (room: RoomLab) => Promise<void>): void {
  test(name, async (t) => {
    const { efi = false, files = {}, image = true, programs = [] } = needs;
    const needed = {
      ...biosFiles,
      ...(efi ? efiFiles : {}),
      ...(image ? { ...initramfsFiles, ...roomDiskFiles } : {}),
    };
    const skip = skipWithoutLab(image ? [...programs, 'busybox', 'mke2fs'] : programs, { ...needed, ...files });
    if (skip !== false) return t.skip(skip);
    const kernel = image ? await guestKernel() : undefined;
    if (kernel !== undefined && 'reason' in kernel) return t.skip(kernel.reason);
    await using room = await RoomLab.open(kernel as GuestKernel | undefined);
    try {
      await body(room);
    } catch (error) {
      t.diagnostic(`the server said:\n${room.printed}\nthe trace:\n${await trace(room)}`);
      throw error;
    }
  });
}

async function trace(room: RoomLab): Promise<string> {
  const failed = (error: Error & { readonly stdout?: string }): string => `${error.stdout ?? ''}${error.message}`;
  return await room.varve('netboot', 'trace', '--all').catch(failed);
}
