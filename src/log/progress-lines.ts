import { formatDuration } from '../base/duration.ts';
import { formatSize } from '../base/size.ts';
import { printable } from './printable.ts';
import type { Progress } from './progress.ts';

/** How progress lines are drawn. */
export interface ProgressStyle {
  /** How many characters a line may have. */
  readonly columns: number;
  /** What a bar consists of: done and not yet done. */
  readonly bar: readonly [done: string, open: string];
  /** Makes a scope's name stand out. */
  readonly bold: (text: string) => string;
}

const barLength = { least: 8, most: 30 };

/** A tree: the scopes that something is going on in, each once, and under them a line with a bar for each progress. */
export function progressLines(running: readonly Progress[], style: ProgressStyle): string[] {
  const lines: string[] = [];
  let shown: readonly number[] = [];
  for (const progress of running) {
    const ids = progress.scopes.map((scope) => scope.id);
    const common = ids.findIndex((id, depth) => shown[depth] !== id);
    for (const [depth, scope] of progress.scopes.entries()) {
      if (common !== -1 && depth >= common) lines.push(style.bold(cut(indent(depth) + printable(scope.name), style)));
    }
    lines.push(cut(progressLine(progress, indent(ids.length), style), style));
    shown = ids;
  }
  return lines;
}

/** `importing web  ━━━━━━━━╌╌╌╌  45 %  1.2 GiB of 2.7 GiB  210 MiB/s  4 s left`; without a total, what is known. */
function progressLine(progress: Progress, margin: string, style: ProgressStyle): string {
  const { totalBytes, bytes, timeLeftMs } = progress;
  const label = margin + printable(progress.label);
  const rate = `${formatSize(progress.rate)}/s`;
  if (totalBytes === undefined) return [label, formatSize(bytes), rate, formatDuration(progress.elapsedMs)].join('  ');
  const share = totalBytes === 0 ? 1 : Math.min(1, bytes / totalBytes);
  const percent = `${String(Math.floor(share * 100)).padStart(3)} %`;
  const left = timeLeftMs === undefined ? [] : [`${formatDuration(timeLeftMs)} left`];
  const figures = [percent, `${formatSize(bytes)} of ${formatSize(totalBytes)}`, rate, ...left].join('  ');
  const room = style.columns - label.length - figures.length - 4;
  if (room < barLength.least) return `${label}  ${figures}`;
  return `${label}  ${bar(share, Math.min(room, barLength.most), style)}  ${figures}`;
}

function bar(share: number, length: number, { bar: [done, open] }: ProgressStyle): string {
  const doneLength = Math.floor(share * length);
  return done.repeat(doneLength) + open.repeat(length - doneLength);
}

function indent(depth: number): string {
  return '  '.repeat(depth);
}

function cut(text: string, { columns }: ProgressStyle): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
}
