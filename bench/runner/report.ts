import { type Column, formatTable } from '../../src/command/output/format-table.ts';
import type { Machine } from './machine.ts';
import type { Summary } from './statistics.ts';

/** A figure that is to be reached. */
export interface Target {
  /** What is compared with what. */
  readonly what: string;
  readonly value: number;
  /** What follows the number: `×`, `ms`, `chunks`. */
  readonly unit: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** One thing that was measured: times, and whatever else there is to say of it. */
export interface Measurement {
  readonly name: string;
  /** Milliseconds. */
  readonly time?: Summary;
  readonly figures?: Readonly<Record<string, string>>;
}

/** What a benchmark found, for people and as JSON. */
export class Report {
  readonly title: string;
  readonly machine: Machine;
  readonly measurements: Measurement[] = [];
  readonly targets: Target[] = [];
  readonly notes: string[] = [];

  constructor(title: string, machine: Machine) {
    this.title = title;
    this.machine = machine;
  }

  add(name: string, time?: Summary, figures: Record<string, string> = {}): void {
    this.measurements.push({ name, figures, ...(time && { time }) });
  }

  target(what: string, value: number, unit: string, limit: { atMost: number } | { atLeast: number }): void {
    this.targets.push({ what, value, unit, ...limit });
  }

  /** Says what a reader must know to judge the figures. */
  note(text: string): void {
    this.notes.push(text);
  }

  toString(): string {
    const notes = this.notes.map((note) => `· ${note}`).join('\n');
    const parts = [machineLines(this.machine), measurementTable(this.measurements), targetTable(this.targets), notes];
    return `\n${this.title}\n\n${parts.filter((part) => part !== '').join('\n\n')}\n`;
  }
}

function machineLines(machine: Machine): string {
  const { processors, processor, memory, kernel, fileSystem, node, load, date } = machine;
  const programs = Object.entries(machine.programs).map(([name, version]) => `${name} ${version}`);
  return [
    `${processors} × ${processor}, ${memory}, ${kernel}, ${fileSystem}`,
    [`node ${node.slice(1)}`, ...programs].join(', '),
    `${date.slice(0, 10)}, load ${load}`,
  ].join('\n');
}

function measurementTable(measurements: readonly Measurement[]): string {
  const titles = [...new Set(measurements.flatMap(({ figures = {} }) => Object.keys(figures)))];
  const columns: Column[] = [{ title: '' }, ...right('median', 'min', 'max', ...titles)];
  const rows = measurements.map(({ name, time, figures = {} }) => [
    name,
    ...(time === undefined ? ['', '', ''] : [time.median, time.minimum, time.maximum].map(formatTime)),
    ...titles.map((title) => figures[title] ?? ''),
  ]);
  return rows.length === 0 ? '' : formatTable(columns, rows);
}

function targetTable(targets: readonly Target[]): string {
  const rows = targets.map((target) => [target.what, formatFigure(target), formatLimit(target), verdict(target)]);
  return rows.length === 0 ? '' : formatTable([{ title: '' }, ...right('figure', 'target'), { title: '' }], rows);
}

function right(...titles: string[]): Column[] {
  return titles.map((title) => ({ title, align: 'right' }));
}

/** Milliseconds for people, to three digits: `82.1 ns`, `137 µs`, `68.2 ms`, `1.53 s`. */
export function formatTime(milliseconds: number): string {
  if (milliseconds >= 999.5) return `${(milliseconds / 1000).toPrecision(3)} s`;
  if (milliseconds >= 0.9995) return `${milliseconds.toPrecision(3)} ms`;
  if (milliseconds >= 0.0009995) return `${(milliseconds * 1000).toPrecision(3)} µs`;
  return `${(milliseconds * 1e6).toPrecision(3)} ns`;
}

/** `1.27 ×`, as the target tables have it. */
export function formatFigure({ value, unit }: Pick<Target, 'value' | 'unit'>): string {
  const text = Number.isInteger(value) && unit !== '×' ? String(value) : value.toFixed(value < 100 ? 2 : 0);
  return `${text} ${unit}`;
}

export function formatLimit({ atMost, atLeast, unit }: Target): string {
  return atMost === undefined ? `≥ ${atLeast} ${unit}` : `≤ ${atMost} ${unit}`;
}

/** `reached`, or by how much of the target it was missed. */
export function verdict({ value, atMost, atLeast }: Target): string {
  const excess = atMost === undefined ? (atLeast as number) / value - 1 : value / atMost - 1;
  return excess <= 0 ? 'reached' : `missed by ${(excess * 100).toFixed(excess < 0.1 ? 1 : 0)} %`;
}
