import { printableJson } from './printable.ts';
import type { Progress } from './progress.ts';
import type { LogLine, LogSink, ProgressChange } from './sink.ts';
import { TextOutput, type TextStream } from './text-output.ts';

const progressIntervalMs = 1000;

/**
 * One JSON object on each line, for programs. Lines have `type` (`scope`, `message`, `error`), `time` (ISO 8601),
 * `depth` and `text`; messages also `template`; errors also `code` where there is one, `path` and, when verbose,
 * `stack`. Progress has `type` `progress`, `state`, `label`, `scopes`, `bytes`, `totalBytes`, `bytesPerSecond` and
 * `timeLeftMs`, at its start, at its end and at most once a second between.
 */
export function jsonSink(stream: TextStream): LogSink {
  const output = new TextOutput(stream);
  const print = (record: object) => output.write(`${printableJson(JSON.stringify(record))}\n`);
  const printed = new WeakMap<Progress, number>();
  return {
    line: (line) => print(lineRecord(line)),
    progress: (progress, change) => {
      const elapsedMs = progress.elapsedMs;
      if (change === 'advanced' && elapsedMs - (printed.get(progress) ?? 0) < progressIntervalMs) return;
      printed.set(progress, elapsedMs);
      print(progressRecord(progress, change));
    },
    close: () => {},
  };
}

function lineRecord({ kind, time, error, ...rest }: LogLine): object {
  const code = (error as { code?: unknown } | undefined)?.code;
  return {
    type: kind,
    time: new Date(time).toISOString(),
    ...rest,
    ...(typeof code === 'string' ? { code } : {}),
  };
}

function progressRecord(progress: Progress, state: ProgressChange): object {
  const { label, bytes, totalBytes, rate, timeLeftMs } = progress;
  return {
    type: 'progress',
    time: new Date().toISOString(),
    state,
    label,
    scopes: progress.scopes.map((scope) => scope.name),
    bytes,
    totalBytes,
    bytesPerSecond: Math.round(rate),
    timeLeftMs: timeLeftMs === undefined ? undefined : Math.round(timeLeftMs),
  };
}
