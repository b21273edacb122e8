import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine } from './machine.ts';
import { hasProgram } from './program.ts';
import { Report } from './report.ts';
import { workDirectory } from './work-directory.ts';

/** A benchmark's name, what it needs, and how often it measures unless told otherwise. */
export interface Benchmark {
  readonly title: string;
  /** Programs that it runs beside us. */
  readonly programs?: readonly string[];
  readonly rounds: number;
}

/** What a benchmark works with. */
export interface Bench {
  readonly report: Report;
  readonly rounds: number;
  /** An empty directory on the file system that is measured, deleted afterwards. */
  readonly directory: string;
  /** Whether a program that the benchmark named is installed; the report says so where it is not. */
  has(program: string): boolean;
}

/**
 * Runs a benchmark and prints what it found. Options: `--rounds N`, `--json FILE` to write the figures to, and
 * `--directory DIR` to measure on another file system than that of the clone.
 */
export async function runBenchmark(benchmark: Benchmark, measure: (bench: Bench) => Promise<void>): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: 'string' }, json: { type: 'string' }, directory: { type: 'string' } },
  });
  const parent = values.directory ?? workDirectory;
  mkdirSync(parent, { recursive: true });
  const directory = mkdtempSync(join(parent, 'run-'));
  const { programs = [] } = benchmark;
  const report = new Report(benchmark.title, describeMachine(directory, programs.filter(hasProgram)));
  for (const program of programs) if (!hasProgram(program)) report.note(`without ${program}, which is not installed`);
  try {
    await measure({ report, directory, has: hasProgram, rounds: Number(values.rounds ?? benchmark.rounds) });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  console.log(report.toString());
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}
