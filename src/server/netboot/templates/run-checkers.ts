import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { printable } from '../../../log/printable.ts';
import type { TemplateKind } from '../room/room.ts';
import type { RenderedFile } from './render-template.ts';
import { problemAt, type TemplateProblem } from './template-problem.ts';

/** A program that checks files of a kind, where it is installed. */
interface Checker {
  readonly program: string;
  readonly options: readonly string[];
  /** Lines that say nothing of the file. */
  readonly ignored: RegExp;
}

const checkers: Readonly<Partial<Record<TemplateKind, Checker>>> = {
  preseed: { program: 'debconf-set-selections', options: ['-c'], ignored: /^(debconf: |info: |$)/ },
  kickstart: { program: 'ksvalidator', options: [], ignored: /^(Checking kickstart file|$)/ },
};

const timeLimitMs = 20_000;
const mostOutput = 2 ** 16;

/**
 * Has the programs that are installed for it check rendered files, with words in place of secrets: debconf's own for
 * preseed, pykickstart's for kickstart.
 */
export async function runCheckers(kind: TemplateKind, files: readonly RenderedFile[]): Promise<TemplateProblem[]> {
  const checker = checkers[kind];
  if (checker === undefined) return [];
  const problems: TemplateProblem[] = [];
  for (const { path, shownText } of files) {
    if (shownText === undefined) continue;
    for (const problem of await runChecker(checker, shownText)) problems.push({ ...problem, path });
  }
  return problems;
}

async function runChecker(
  { program, options, ignored }: Checker,
  text: string,
): Promise<ReturnType<typeof problemAt>[]> {
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-template-'));
  try {
    const file = join(directory, 'file');
    fs.writeFileSync(file, text, { mode: 0o600 });
    const { failed, output } = await run(program, [...options, file]);
    // ksvalidator says on which line it is, and on another one what.
    const joined = output.replace(/(\bline \d{1,7}) of the kickstart file:\s+/g, '$1: ');
    const lines = joined.split('\n').filter((line) => !ignored.test(line));
    const told = lines.slice(0, 20).flatMap((line) => {
      const [, number] = /\bline (\d{1,7})\b/.exec(line) ?? [];
      return number === undefined && !failed
        ? []
        : [problemAt(number ? Number(number) : undefined, wordsOf(program, line))];
    });
    return failed && told.length === 0 ? [problemAt(undefined, `${program} does not take it`)] : told;
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

function wordsOf(program: string, line: string): string {
  return `${program}: ${printable(line.trim()).slice(0, 300)}`;
}

/** A program that is not installed has nothing to say. */
function run(program: string, options: readonly string[]): Promise<{ failed: boolean; output: string }> {
  const { promise, resolve } = Promise.withResolvers<{ failed: boolean; output: string }>();
  const settings = { timeout: timeLimitMs, maxBuffer: mostOutput, env: { ...process.env, LC_ALL: 'C' } };
  execFile(program, [...options], settings, (error, stdout, stderr) => {
    const isMissing = error !== null && typeof error.code === 'string';
    resolve({ failed: error !== null && !isMissing, output: isMissing ? '' : `${stdout}\n${stderr}` });
  });
  return promise;
}
