import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCommand } from '../../scripts/setup/project.mjs';
import { type Guest, RunningGuest } from './running-guest.ts';

/** What a virtual machine is started with. */
export interface GuestOptions {
  readonly kernelPath: string;
  readonly initramfs: Uint8Array;
  /** For QEMU: its disks and networks. */
  readonly devices?: readonly string[];
  /** Gives the process that QEMU runs in, or under; QEMU itself where it is not given. */
  readonly launch?: (command: readonly string[]) => ChildProcess;
}

/** Options for QEMU that make a network with a card, on which 10.0.2.2 is this machine's 127.0.0.1. */
export const userNetwork: readonly string[] = ['-nic', 'user,model=virtio-net-pci'];

/** What Linux is given by whoever boots it. */
export const kernelParameters = 'console=ttyS0 loglevel=4 panic=-1 random.trust_cpu=on';

/** It is ended then, and whoever waits is told what it had printed. */
const timeoutMs = 480_000;

/** Starts a virtual machine, emulated, with half a gigabyte of memory. */
export async function startGuest(options: GuestOptions): Promise<Guest> {
  const { devices = [], initramfs, kernelPath, launch = spawnDirectly } = options;
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  const initramfsPath = join(directory, 'initramfs');
  await writeFile(initramfsPath, initramfs);
  const linux = ['-kernel', kernelPath, '-initrd', initramfsPath, '-append', kernelParameters];
  const running = new RunningGuest(launch([...machine(), ...linux, ...devices]), timeoutMs);
  void running.over.then(() => rm(directory, { recursive: true, force: true }));
  return running;
}

/** Starts a virtual machine that boots, as its BIOS does it, from the first of its `devices`. */
export function startBios(devices: readonly string[]): Guest {
  return new RunningGuest(spawnDirectly([...machine(), ...devices]), timeoutMs);
}

/** QEMU, and what every machine has. */
function machine(): string[] {
  const program = findCommand('qemu-system-x86_64');
  if (program === undefined) throw new Error('qemu-system-x86_64 is not installed');
  return [
    program,
    // Where the processor's own virtualization can be seen, it need not work.
    ...['-accel', 'tcg', '-m', '512', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-serial', 'stdio'],
  ];
}

function spawnDirectly([program = '', ...options]: readonly string[]): ChildProcess {
  return spawn(program, options);
}
