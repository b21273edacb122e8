import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { stripVTControlCharacters } from 'node:util';

/** A virtual machine with a BIOS, whose screen is read. */
export interface ScreenMachine {
  /** All that it has shown. */
  screen(): string;
  /** Ends when it has shown a text. */
  until(text: string): Promise<void>;
}

/** Starts one with QEMU, which has to be there; it ends with the test. */
export function startScreenMachine(t: TestContext, options: readonly string[]): ScreenMachine {
  const screen = ['-display', 'none', '-machine', 'pc,graphics=off', '-serial', 'stdio', '-monitor', 'none'];
  const machine: ChildProcess = spawn('qemu-system-x86_64', ['-accel', 'tcg', '-m', '128', ...screen, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let shown = '';
  const output = machine.stdout!;
  output.on('data', (data: Buffer) => {
    shown += data.toString('latin1');
  });
  t.after(async () => {
    const ended = machine.exitCode === null ? once(machine, 'exit') : undefined;
    machine.kill('SIGKILL');
    await ended;
  });
  const text = (): string => stripVTControlCharacters(shown);
  const until = async (wanted: string): Promise<void> => {
    while (!text().includes(wanted)) await once(output, 'data', { signal: t.signal });
  };
  return { screen: text, until };
}
