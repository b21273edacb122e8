import { type PlainSinkOptions, plainLines } from './plain-sink.ts';
import type { Progress } from './progress.ts';
import { type ProgressStyle, progressLines } from './progress-lines.ts';
import type { LogLine, LogSink, ProgressChange } from './sink.ts';
import { TextOutput, type TextStream } from './text-output.ts';

/** A stream that ends in a terminal: `process.stderr`, when it is one. */
export interface TerminalStream extends TextStream {
  readonly isTTY?: boolean | undefined;
  /** Its size in characters, now. */
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

/** How a terminal sink writes. */
export interface TerminalSinkOptions extends PlainSinkOptions {
  /** Where `NO_COLOR` and the locale are looked up; `process.env` by default. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** At most ten redraws a second, and none for work that is over sooner than a reader sees it. */
const redrawMs = 100;
const patienceMs = 200;

/**
 * Lines as an indented tree, and below them, while something is going on, a tree of scopes with progress bars that is
 * redrawn in place and leaves nothing behind. Only for a terminal; `NO_COLOR` is heeded.
 *
 * @throws `TypeError` for a stream that is none
 */
export function terminalSink(stream: TerminalStream, options: TerminalSinkOptions = {}): LogSink {
  if (stream.isTTY !== true) throw new TypeError('a terminal sink for a stream that is no terminal');
  return new TerminalSink(stream, options);
}

class TerminalSink implements LogSink {
  readonly #stream: TerminalStream;
  readonly #output: TextOutput;
  readonly #errorPrefix: string;
  readonly #colors: boolean;
  readonly #unicode: boolean;
  readonly #running = new Set<Progress>();
  #drawnLines = 0;
  #drawnTime = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(stream: TerminalStream, { errorPrefix = 'error: ', environment = process.env }: TerminalSinkOptions) {
    this.#stream = stream;
    this.#output = new TextOutput(stream);
    this.#errorPrefix = errorPrefix;
    this.#colors = (environment.NO_COLOR ?? '') === '';
    this.#unicode = /utf-?8/i.test(environment.LC_ALL || environment.LC_CTYPE || environment.LANG || '');
  }

  line(line: LogLine): void {
    const margin = '  '.repeat(line.depth);
    const text = plainLines(line, this.#errorPrefix).map((each) => this.#paint(margin + each, line.kind));
    this.#draw(`${text.join('\n')}\n`);
  }

  progress(progress: Progress, change: ProgressChange): void {
    if (change === 'ended') {
      this.#running.delete(progress);
      if (this.#running.size === 0) this.#stopTimer();
      if (this.#drawnLines > 0) this.#draw('');
      return;
    }
    if (change === 'started') {
      this.#running.add(progress);
      // The timer keeps times running while nothing advances.
      this.#timer ??= setInterval(() => this.#redraw(), redrawMs).unref();
    }
    this.#redraw();
  }

  close(): void {
    this.#closed = true;
    this.#stopTimer();
    if (this.#drawnLines > 0) this.#draw('');
  }

  /** Draws anew unless that was done a moment ago. Hot: called for each step of each progress. */
  #redraw(): void {
    if (performance.now() - this.#drawnTime >= redrawMs) this.#draw('');
  }

  /** Replaces what is drawn by `above` for good and the present tree below it, in one write. */
  #draw(above: string): void {
    const lines = this.#closed ? [] : this.#visibleLines();
    const erase = this.#drawnLines > 0 ? `\x1b[${this.#drawnLines}A\x1b[J` : '';
    // Without wrapping, a line that is wider than we count cannot take a second row.
    const tree = lines.length > 0 ? `\x1b[?7l${lines.join('\n')}\n\x1b[?7h` : '';
    this.#drawnLines = lines.length;
    this.#drawnTime = performance.now();
    if (erase !== '' || above !== '' || tree !== '') this.#output.write(erase + above + tree);
  }

  /** As many lines as fit on the screen: what has scrolled away cannot be taken back. */
  #visibleLines(): string[] {
    const { columns = 80, rows = 24 } = this.#stream;
    const style: ProgressStyle = {
      columns,
      bar: this.#unicode ? ['━', '╌'] : ['#', '-'],
      bold: (text) => this.#paint(text, 'scope'),
    };
    const running = [...this.#running].filter((progress) => progress.elapsedMs >= patienceMs);
    const lines = progressLines(running, style);
    const room = Math.max(0, rows - 2);
    return lines.length <= room ? lines : [...lines.slice(0, room), `(${lines.length - room} more)`];
  }

  #paint(text: string, kind: LogLine['kind']): string {
    if (!this.#colors || kind === 'message') return text;
    return kind === 'error' ? `\x1b[31m${text}\x1b[39m` : `\x1b[1m${text}\x1b[22m`;
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
