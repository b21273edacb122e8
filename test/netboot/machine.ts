import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Guest, RunningGuest } from '../guest/running-guest.ts';

/** What a machine starts with. */
export type Firmware = 'bios' | 'efi' | 'efi-ia32' | 'efi-http';

/** What a machine is. */
export interface MachineOptions {
  /** Counts the machines of a lab, from 1; the same machine again has the same. */
  readonly number: number;
  /**
   * `bios` has QEMU's own ROM on its network card, which is iPXE; `efi` and `efi-ia32` firmware that gets a loader over TFTP,
   * `efi-http` over HTTP. `bios` where nothing is given.
   */
  readonly firmware?: Firmware | undefined;
  /** In megabytes; 512 where nothing is given. */
  readonly memory?: number | undefined;
  /** More options for QEMU. */
  readonly devices?: readonly string[] | undefined;
  /** It is ended then; five minutes where nothing is given, for machines that have much else to do. */
  readonly timeoutMs?: number | undefined;
}

/** A machine that was switched on. */
export interface Machine extends Guest {
  /** `52:54:00:00:00:01`. */
  readonly mac: string;
  /** As it stands in the names of what is the machine's: `52-54-00-00-00-01`. */
  readonly name: string;
}

/** Where a machine stands. */
interface Place {
  readonly tap: string;
  readonly directory: string;
  start(command: readonly string[], options?: SpawnOptions): ChildProcess;
}

/** The firmware for EFI, and what it keeps its settings in. */
export const efiFirmware = { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', settings: '/usr/share/OVMF/OVMF_VARS_4M.fd' };
/** The same for processors of 32 bits. */
export const ia32Firmware = {
  code: '/usr/share/OVMF/OVMF32_CODE_4M.secboot.fd',
  settings: '/usr/share/OVMF/OVMF32_VARS_4M.fd',
};

/** Of the machine with this number. */
export function macOf(number: number): string {
  return `52:54:00:00:00:${number.toString(16).padStart(2, '0')}`;
}

/** Switches a machine on, with a network card on `tap`, from which it starts, and its console on its serial line. */
export function startMachine(options: MachineOptions, { directory, start, tap }: Place): Machine {
  const { devices = [], firmware = 'bios', memory = 512, number, timeoutMs = 300_000 } = options;
  const mac = macOf(number);
  const rom = firmware === 'bios' ? '' : ',romfile=';
  const command = [
    'qemu-system-x86_64',
    // Where the processor's own virtualization can be seen, it need not work.
    ...['-accel', 'tcg', '-m', String(memory), '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    // With graphics off the BIOS prints on the serial line.
    ...['-machine', 'q35,graphics=off', '-serial', 'stdio', '-boot', 'n'],
    ...['-netdev', `tap,id=net,ifname=${tap},script=no,downscript=no`],
    ...['-device', `virtio-net-pci,netdev=net,mac=${mac}${rom}`],
    ...firmwareOptions(firmware, join(directory, `settings${number}.fd`)),
    ...devices,
  ];
  const running = new RunningGuest(start(command), timeoutMs);
  return Object.assign(running, { mac, name: mac.replaceAll(':', '-') });
}

function firmwareOptions(firmware: Firmware, settings: string): string[] {
  if (firmware === 'bios') return [];
  const files = firmware === 'efi-ia32' ? ia32Firmware : efiFirmware;
  copyFileSync(files.settings, settings);
  const off = firmware === 'efi-http' ? ['IPv6PXESupport', 'IPv4PXESupport'] : ['IPv6PXESupport'];
  return [
    ...['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${files.code}`],
    ...['-drive', `if=pflash,unit=1,format=raw,file=${settings}`],
    ...off.flatMap((name) => ['-fw_cfg', `name=opt/org.tianocore/${name},string=n`]),
  ];
}
