import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { endNow, type Lab } from '../../test/netboot/lab.ts';

const ticksPerSecond = 100;
const patienceMs = 30_000;

/** A server that runs in a lab. Disposing ends it. */
export class LabProgram implements AsyncDisposable {
  readonly #child: ChildProcess;
  #printed = '';

  constructor(lab: Lab, command: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#child = lab.start(command, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const output of [this.#child.stdout, this.#child.stderr]) {
      output?.on('data', (chunk: Buffer) => {
        this.#printed = (this.#printed + chunk.toString('latin1')).slice(-100_000);
      });
    }
  }

  /** Waits until it has printed this. @throws Error where it does not */
  async untilPrinted(pattern: RegExp): Promise<void> {
    await this.until(() => pattern.test(this.#printed), `print ${pattern}`);
  }

  /** Waits until `isThere`. @throws Error where that does not come, or the server has ended */
  async until(isThere: () => boolean, what: string): Promise<void> {
    const start = performance.now();
    while (!isThere()) {
      const hasEnded = this.#child.exitCode !== null || this.#child.signalCode !== null;
      if (hasEnded || performance.now() - start > patienceMs) {
        throw new Error(`${this.#child.spawnargs.join(' ')} did not ${what}:\n${this.#printed}`);
      }
      await sleep(50);
    }
  }

  /** What it has had of the processors so far, with all of its processes, in milliseconds. */
  processorMs(): number {
    return treeMs(this.#child.pid!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endNow(this.#child);
  }
}

/** Of a process and its children. */
function treeMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  const own = ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond;
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
  );
  return children.reduce((sum, child) => sum + treeMs(Number(child)), own);
}
