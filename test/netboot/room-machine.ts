import assert from 'node:assert/strict';
import type { Machine } from './machine.ts';

/**
 * What the system on the room's disk is told, so that it says what it does on its serial line. Where this machine has much else to
 * do, a kernel that checks its timer may find none.
 */
export const consoleArguments = 'console=ttyS0 loglevel=4 net.ifnames=0 no_timer_check panic=-1';

/** Waits until a machine runs from the room's disk, and says so itself. */
export async function untilRunning(machine: Machine): Promise<void> {
  const [, mac] = await machine.waitFor(/^room: (\S+) runs from /m);
  assert.equal(mac, machine.mac);
}

let questionCount = 0;

/** Has a running machine do what a line of shell says, and gives what that prints, without the blanks around it. */
export async function ask(machine: Machine, line: string): Promise<string> {
  questionCount += 1;
  // As it is typed it does not look like what is printed.
  machine.type(`echo "ans""wer${questionCount}=[$({ ${line}; } 2>&1)]"`);
  const [, answer = ''] = await machine.waitFor(new RegExp(`answer${questionCount}=\\[([^]*?)\\]\n`));
  return answer.trim();
}

/** Has a running machine power off, and waits until it has. */
export async function powerOff(machine: Machine): Promise<void> {
  machine.type('exit');
  const printed = await machine.end();
  assert.match(printed, /reboot: Power down/, printed);
}
