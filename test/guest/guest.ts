import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCommand } from '../../scripts/setup/project.mjs';

/** What a virtual machine is started with. */
export interface GuestOptions {
  readonly kernelPath: string;
  readonly initramfs: Uint8Array;
  /** For QEMU: its disks and networks. */
  readonly devices?: readonly string[];
  /** Gives the process that QEMU runs in, or under; QEMU itself where it is not given. */
  readonly launch?: (command: readonly string[]) => ChildProcess;
}

/** A virtual machine that runs. Disposing ends it. */
export interface Guest extends AsyncDisposable {
  /** All that it has printed on its console, with `\n` at the ends of lines. */
  readonly printed: string;
  /** Waits until it has printed this. @throws Error when it ends before */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>;
  /** Types a line at its console. */
  type(line: string): void;
  /** Waits until it has powered off, and gives all that it has printed. */
  end(): Promise<string>;
}

/** Options for QEMU that make a network with a card, on which 10.0.2.2 is this machine's 127.0.0.1. */
export const userNetwork: readonly string[] = ['-nic', 'user,model=virtio-net-pci'];

/** It is ended then, and whoever waits is told what it had printed. */
const timeoutMs = 480_000;

/** Starts a virtual machine, emulated, with half a gigabyte of memory. */
export async function startGuest(options: GuestOptions): Promise<Guest> {
  const { devices = [], initramfs, kernelPath, launch = spawnDirectly } = options;
  const program = findCommand('qemu-system-x86_64');
  if (program === undefined) throw new Error('qemu-system-x86_64 is not installed');
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  const initramfsPath = join(directory, 'initramfs');
  await writeFile(initramfsPath, initramfs);
  const machine = [
    // Where the processor's own virtualization can be seen, it need not work.
    ...['-accel', 'tcg', '-m', '512', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-serial', 'stdio', '-kernel', kernelPath, '-initrd', initramfsPath],
    ...['-append', 'console=ttyS0 loglevel=4 panic=-1 random.trust_cpu=on'],
  ];
  const running = new RunningGuest(launch([program, ...machine, ...devices]));
  void running.over.then(() => rm(directory, { recursive: true, force: true }));
  return running;
}

function spawnDirectly([program = '', ...options]: readonly string[]): ChildProcess {
  return spawn(program, options);
}

class RunningGuest implements Guest {
  printed = '';
  readonly over: Promise<void>;
  readonly #child: ChildProcess;
  readonly #news = new Set<() => void>();
  #isOver = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on('data', (chunk: Buffer) => this.#print(chunk.toString('latin1')));
    child.stderr?.on('data', (chunk: Buffer) => this.#print(chunk.toString('latin1')));
    // It may be gone by the time that something is typed.
    child.stdin?.on('error', () => undefined);
    const timer = setTimeout(() => {
      this.#print(`\n(ended after ${timeoutMs} ms)\n`);
      child.kill('SIGKILL');
    }, timeoutMs);
    this.over = new Promise((resolve) => {
      child.once('close', () => {
        clearTimeout(timer);
        this.#isOver = true;
        this.#print('');
        resolve();
      });
    });
  }

  async waitFor(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.printed);
      if (found !== null) return found;
      if (this.#isOver) throw new Error(`the guest has ended without ${pattern}:\n${this.printed}`);
      await new Promise<void>((resolve) => this.#news.add(resolve));
    }
  }

  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  async end(): Promise<string> {
    await this.over;
    return this.printed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.over;
  }

  #print(text: string): void {
    this.printed += text.replaceAll('\r', '');
    const news = [...this.#news];
    this.#news.clear();
    for (const tell of news) tell();
  }
}
