import type { ChildProcess } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';

const escapeByte = '\x1b';

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

/** A virtual machine whose console is a process's standard input and output. */
export class RunningGuest implements Guest {
  printed = '';
  /** Settles when it has ended. */
  readonly over: Promise<void>;
  readonly #child: ChildProcess;
  readonly #news = new Set<() => void>();
  #isOver = false;
  /** The beginning of a control sequence that goes on. */
  #unfinished = '';

  /** After `timeoutMs` it is ended, and whoever waits is told what it had printed. */
  constructor(child: ChildProcess, timeoutMs: number) {
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
    const plain = withoutControls(this.#unfinished + text.replaceAll('\r', ''));
    this.#unfinished = plain.unfinished;
    this.printed += plain.text;
    const news = [...this.#news];
    this.#news.clear();
    for (const tell of news) tell();
  }
}

/** Text as it would stand on paper: a screen that is cleared is a new line, and what moves the cursor or changes colours is nothing. */
function withoutControls(text: string): { readonly text: string; readonly unfinished: string } {
  const last = text.lastIndexOf(escapeByte);
  const end = last !== -1 && /^(?:\[[0-9;?]*)?$/.test(text.slice(last + 1)) ? last : text.length;
  const cleared = text.slice(0, end).replaceAll(`${escapeByte}c`, '\n').replaceAll(`${escapeByte}[2J`, '\n');
  return { text: stripVTControlCharacters(cleared), unfinished: text.slice(end) };
}
