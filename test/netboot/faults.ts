import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ia32Firmware, type Machine, type MachineOptions } from './machine.ts';
import { netbootTest } from './netboot-test.ts';
import { roomOf } from './room-file.ts';
import type { RoomLab } from './room-lab.ts';
import { consoleArguments } from './room-machine.ts';

function roomWith(entry: string): string {
  return `entries:
  web: ${entry}
machines:
  - { mac: "52:54:00:*", entry: web }
`;
}

/** Waits until the trace of the only machine has failed, and gives what it says of that. */
async function failureOf(room: RoomLab, machine: Machine): Promise<string> {
  for (;;) {
    const told = await room.varve('netboot', 'trace', machine.mac).then(
      () => undefined,
      (error: Error & { readonly code?: number; readonly stdout?: string }) => error,
    );
    const [, failure] = /^failed at (.*)$/m.exec(told?.stdout ?? '') ?? [];
    if (failure !== undefined) {
      assert.equal(told?.code, 1);
      return failure;
    }
    await sleep(1000);
  }
}

interface Fault {
  readonly name: string;
  /** What the failure is to be, with its step in front. */
  readonly expected: RegExp;
  readonly room: string;
  readonly machine?: Omit<MachineOptions, 'number'>;
  readonly files?: Readonly<Record<string, string>>;
  prepare?(room: RoomLab): void;
}

const faults: readonly Fault[] = [
  {
    name: 'a kernel’s name that is wrong',
    room: roomWith('{ image: web, boot: nbd, kernel: /boot/vmlinux }'),
    expected: /^files: .*boot\/vmlinux/,
  },
  {
    name: 'an initramfs that is not there',
    room: roomWith('{ boot: kernel, files: ./files, kernel: linux, initramfs: initrd.gz }'),
    prepare: (room) => room.write('files/linux', 'no kernel'),
    expected: /^files: .*initrd\.gz/,
  },
  {
    name: 'a port that is blocked',
    room: roomOf('nbd'),
    prepare: (room) => room.lab.block('tcp', 80),
    expected: /^script: .*HTTP/,
  },
  {
    name: 'no loader for an architecture',
    room: roomOf('nbd'),
    machine: { firmware: 'efi-ia32' },
    files: { [ia32Firmware.code]: 'ovmf-ia32' },
    expected: /^dhcp: .*IA32 EFI/,
  },
  {
    name: 'a login that is wrong',
    room: `${roomWith(`{ image: web, boot: iscsi, arguments: ${consoleArguments} iscsi_password=another-of-that-sort }`)}chap: { user: room, secretFile: ./secret }\n`,
    prepare: (room) => room.write('secret', 'a-secret-of-sixteen\n'),
    expected: /^login: /,
  },
];

for (const fault of faults) {
  netbootTest(
    `the trace names ${fault.name}`,
    fault.files === undefined ? {} : { files: fault.files },
    async (room) => {
      fault.prepare?.(room);
      await room.serve(fault.room);
      await using machine = room.lab.boot(fault.machine);
      assert.match(await failureOf(room, machine), fault.expected);
    },
  );
}
