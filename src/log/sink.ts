import type { Progress } from './progress.ts';

/** One line to print. Texts are as they were logged: a sink for people escapes what a terminal would obey. */
export interface LogLine {
  readonly kind: 'scope' | 'message' | 'error';
  /** How many lines it stands below; 0 is the top. */
  readonly depth: number;
  readonly text: string;
  /** When it was logged, in milliseconds since 1970. */
  readonly time: number;
  /** For a message: its text before the values were filled in. */
  readonly template?: string;
  /** For an error: what was thrown, if it was. */
  readonly error?: unknown;
  /** For an error: all the lines that led there, printed before or not. */
  readonly path?: readonly string[];
  /** For an error in a verbose log: where in the code it comes from, several lines. */
  readonly stack?: string;
}

/** How a progress changed. */
export type ProgressChange = 'started' | 'advanced' | 'ended';

/** Where a log's lines go. Every method returns when what it prints is out of our hands, and none of them throws. */
export interface LogSink {
  line(line: LogLine): void;
  /** Called at every step: a sink that draws does so only now and then. */
  progress(progress: Progress, change: ProgressChange): void;
  /** Takes down what is drawn and stops its timers; lines may still come. Closing twice is fine. */
  close(): void;
}
