import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startGuest } from './guest.ts';
import type { GuestKernel } from './guest-kernel.ts';
import { makeInitramfs } from './initramfs.ts';
import { runVarve, varveProgram } from './run-varve.ts';
import { makeSmallSystem, shellPrompt } from './small-system.ts';

const run = promisify(execFile);

/** What is tried. */
export interface BootTrial {
  readonly kernel: GuestKernel;
  /** Empty. */
  readonly directory: string;
}

/** Boots Linux from a qcow2 file that is served; what is written at its shell is in the file then. */
export async function tryBootFromFile({ directory, kernel }: BootTrial): Promise<void> {
  const raw = await makeSmallSystem(directory);
  const disk = join(directory, 'root.qcow2');
  await run('qemu-img', ['convert', '-O', 'qcow2', raw, disk]);
  await writeAtShell({ kernel, served: [disk], store: join(directory, 'store') });
  await run('qemu-img', ['check', disk]);
  await run('qemu-img', ['convert', '-O', 'raw', disk, raw]);
  await run('e2fsck', ['-fn', raw]);
  assert.equal((await run('debugfs', ['-R', 'cat /etc/motto', raw])).stdout, 'written by the guest\n');
}

/** Boots Linux from an image in a store, with an overlay that is thrown away; the image stays as it was. */
export async function tryBootFromStore({ directory, kernel }: BootTrial): Promise<void> {
  const { raw, store } = await smallSystemImage(directory);
  for (const _ of ['once', 'and again']) await writeAtShell({ kernel, served: ['web', '--ephemeral'], store });
  await runVarve(store, 'compare', 'web', raw);
  await runVarve(store, 'verify');
}

/** Boots Linux from an image in a store, and boots again: what was written is in its overlay. */
export async function tryBootFromOverlay({ directory, kernel }: BootTrial): Promise<void> {
  const { raw, store } = await smallSystemImage(directory);
  await writeAtShell({ kernel, served: ['web'], store });
  const printed = await atShell({ kernel, served: ['web'], store }, ['echo "it was $(cat /etc/motto)."', 'exit']);
  assert.match(printed, /^it was written by the guest\.$/m, printed);
  await runVarve(store, 'compare', 'web@1', raw);
  await runVarve(store, 'verify');
}

/** A store with the small system as the image `web`, and as a raw disk. */
async function smallSystemImage(directory: string): Promise<{ readonly raw: string; readonly store: string }> {
  const [raw, store] = [await makeSmallSystem(directory), join(directory, 'store')];
  await runVarve(store, 'import', raw, 'web');
  return { raw, store };
}

/**
 * Boots a Debian from an image that is made of `disk`, and has dpkg compare each file of its packages with what it was
 * when it was installed.
 */
export async function tryBootDebian({ directory, disk, kernel }: BootTrial & { readonly disk: string }): Promise<void> {
  const store = join(directory, 'store');
  await runVarve(store, 'import', disk, 'debian');
  const trial: ShellTrial = { kernel, served: ['debian'], store, init: '/bin/bash', prompt: /root@.*:\/# / };
  const printed = await atShell(trial, [
    'dpkg --verify && echo "all of $(dpkg-query -f . -W | wc -c) packages are whole"',
    'mount -t proc proc /proc; mount -o remount,ro /; echo o > /proc/sysrq-trigger',
  ]);
  assert.match(printed, /all of \d{2,} packages are whole$/m, printed);
  await runVarve(store, 'verify');
}

interface ShellTrial {
  readonly kernel: GuestKernel;
  /** Arguments for `varve serve`. */
  readonly served: readonly string[];
  readonly store: string;
  /** The first program, if it is not the system's own. */
  readonly init?: string;
  /** What its shell says when it waits for a command. */
  readonly prompt?: RegExp;
}

/** Sees that the system is as it was made, writes a file, reads it again past all caches, and leaves. */
async function writeAtShell(trial: ShellTrial): Promise<void> {
  const printed = await atShell(trial, [
    'test ! -e /etc/motto && echo written by the guest > /etc/motto && sync',
    'echo 3 > /proc/sys/vm/drop_caches; echo "it is $(cat /etc/motto)."; exit',
  ]);
  assert.match(printed, /^it is written by the guest\.$/m, printed);
}

/** Boots, types lines at the shell, of which the last one leaves it, and gives all that was printed. */
async function atShell(trial: ShellTrial, lines: readonly string[]): Promise<string> {
  const { init, kernel, prompt = shellPrompt, served, store } = trial;
  const task = { root: '/dev/vda', ...(init === undefined ? {} : { init }) };
  const initramfs = await makeInitramfs({ kernel, modules: ['virtio_pci', 'virtio_blk'], task });
  await using guest = await startGuest({
    kernelPath: kernel.path,
    initramfs,
    devices: ['-drive', 'file=$nbd,format=raw,if=virtio'],
    launch: (command) =>
      spawn(varveProgram, ['serve', ...served, '--run', command.map(quoted).join(' ')], {
        env: { ...process.env, VARVE_STORE: store },
      }),
  });
  await guest.waitFor(prompt);
  for (const line of lines) guest.type(line);
  const printed = await guest.end();
  assert.match(printed, /reboot: Power down/, printed);
  return printed;
}

/** For a shell that is to expand variables alone. */
function quoted(word: string): string {
  return `"${word.replaceAll(/["\\`]/g, '\\$&')}"`;
}
