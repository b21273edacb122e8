import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { HostileAnswer, HostileRequest } from './hostile-child.ts';

/**
 * The limits of the project for bad input, of which each image may take so much: a second, which other work on the machine
 * makes up to three.
 */
const maximumProcessorMs = 3000;
const maximumMemory = 100 * 2 ** 20;
/** A child that says nothing for so long hangs. */
const silenceMs = 60_000;

/** Reads images in a process of its own, whose heap is bounded. */
export class HostileReader implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor() {
    const command = ['--expose-gc', '--max-old-space-size=64', join(import.meta.dirname, 'hostile-child.ts')];
    this.#child = spawn(process.execPath, command, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** What came of reading an image; fails where it took too much, or ended in anything but an error with a code. */
  async read(request: HostileRequest): Promise<HostileAnswer> {
    this.#child.stdin!.write(`${JSON.stringify(request)}\n`);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), silenceMs);
    const line = await this.#answers.next();
    clearTimeout(timer);
    assert.ok(!line.done, `reading ${request.path} took the process down, or longer than ${silenceMs} ms`);
    const answer: HostileAnswer = JSON.parse(line.value);
    const { code, memoryGrowth, message, path, processorMs } = answer;
    assert.notEqual(code, 'no code', `${path}: ${message}`);
    assert.ok(processorMs < maximumProcessorMs, `${path} took ${processorMs} ms: ${message}`);
    assert.ok(memoryGrowth < maximumMemory, `${path} took ${memoryGrowth} bytes: ${message}`);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin!.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }
}
