import type { Boot } from '../../server/netboot/trace/boot.ts';
import { diagnose } from '../../server/netboot/trace/diagnose.ts';
import { diagnosisText, stepText } from '../../server/netboot/trace/step-text.ts';
import type { EntryStep, TraceStep } from '../../server/netboot/trace/trace-step.ts';
import { formatTable } from './format-table.ts';
import { localTime } from './local-time.ts';

/** What the room calls a boot's machine, and what it boots, as far as its script has been asked for. */
export function entryOf({ steps }: Boot): EntryStep | undefined {
  return steps.find((step) => step.kind === 'entry');
}

/** One line a machine: its last boot, and how that is at a moment in milliseconds since 1970. */
export function bootsTable(boots: readonly Boot[], nowMs: number): string {
  const columns = [{ title: 'MACHINE' }, { title: 'MAC' }, { title: 'ENTRY' }, { title: 'BEGAN' }, { title: 'STATE' }];
  const rows = boots.map((boot) => {
    const { entry = '', name } = entryOf(boot) ?? {};
    const began = localTime(boot.steps[0]!.timeMs);
    return [name ?? '-', boot.machine, entry, began, diagnosisText(diagnose(boot, nowMs))];
  });
  return formatTable(columns, rows);
}

/** A boot as a timeline, in seconds since it began. */
export function bootText(boot: Boot, nowMs: number): string {
  const { entry, image, name } = entryOf(boot) ?? {};
  const startMs = boot.steps[0]!.timeMs;
  const what = [name, entry, image].filter((each) => each !== undefined).join(', ');
  const first = `${boot.machine}${what === '' ? '' : ` (${what})`}, ${localTime(startMs)}`;
  const rows = boot.steps.map((step) => [((step.timeMs - startMs) / 1000).toFixed(3), ...stepText(step)]);
  if (boot.omittedCount > 0) rows.splice(rows.length / 2, 0, ['', '…', `${boot.omittedCount} more`]);
  const [, ...lines] = formatTable([{ title: '', align: 'right' }, { title: '' }, { title: '' }], rows).split('\n');
  return [first, ...lines.map((line) => `  ${line}`), diagnosisText(diagnose(boot, nowMs))].join('\n');
}

/** A step on a line of its own, when it comes. */
export function stepLine(boot: Boot, step: TraceStep): string {
  const time = `${localTime(step.timeMs).slice(11, 19)}.${String(Math.floor(step.timeMs) % 1000).padStart(3, '0')}`;
  const [what, rest] = stepText(step);
  const { name = boot.machine } = entryOf(boot) ?? {};
  return formatTable([{ title: '' }], [[`${time}  ${name}  ${what}  ${rest}`]]).trimStart();
}

/** A boot for programs. */
export function bootJson(boot: Boot, nowMs: number): object {
  const { boot: method, entry, image, name } = entryOf(boot) ?? {};
  const { failure, next, state } = diagnose(boot, nowMs);
  return {
    ...{ machine: boot.machine, name, entry, image, boot: method, began: isoTime(boot.steps[0]!.timeMs) },
    ...{ state, next, failure, omittedCount: boot.omittedCount, steps: boot.steps.map(stepJson) },
  };
}

/** A step for programs. */
export function stepJson({ timeMs, ...step }: TraceStep): object {
  return { time: isoTime(timeMs), ...step };
}

function isoTime(timeMs: number): string | undefined {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
