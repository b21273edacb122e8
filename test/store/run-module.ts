import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** How a program runs in a process of its own. */
export interface RunOptions {
  /** The user whom it runs as; needs root. */
  readonly uid?: number;
}

/** What came of a program: its exit status (undefined after a signal) and all it printed. */
export interface RunResult {
  readonly status: number | undefined;
  readonly output: string;
}

/**
 * Starts `source`, the text of a module, in a process of its own. Its imports are as from this folder, and it finds
 * `args` in `process.argv` from index 1 on.
 */
export function startModule(source: string, args: readonly string[], options: RunOptions = {}): ChildProcess {
  const here = fileURLToPath(new URL('.', import.meta.url));
  return spawn(process.execPath, ['--input-type=module-typescript', '--eval', source, '--', ...args], {
    cwd: here,
    stdio: ['pipe', 'pipe', 'inherit'],
    ...options,
  });
}

/** Runs `source` as `startModule` does, to its end. */
export async function runModule(source: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const child = startModule(source, args, options);
  return await resultOf(child);
}

/**
 * Runs `source` once for each list of arguments, all at once: `await start()` in it waits until all are there, and
 * gives the same moment in all of them, soon after, for `waitUntil`, in milliseconds since 1970.
 */
export async function runTogether(source: string, argsLists: readonly (readonly string[])[]): Promise<RunResult[]> {
  const prelude = `async function start() {
    process.stderr.write('ready');
    let moment = '';
    for await (const part of process.stdin) moment += part;
    waitUntil(Number(moment));
    return Number(moment);
  }
  function waitUntil(moment) {
    while (performance.timeOrigin + performance.now() < moment);
  }`;
  const here = fileURLToPath(new URL('.', import.meta.url));
  const children = argsLists.map((args) =>
    spawn(process.execPath, ['--input-type=module-typescript', '--eval', `${prelude}\n${source}`, '--', ...args], {
      cwd: here,
      stdio: 'pipe',
    }),
  );
  const results = children.map((child) => resultOf(child));
  await Promise.all(children.map((child) => Promise.race([once(child.stderr, 'data'), once(child, 'close')])));
  const moment = String(Date.now() + 50);
  for (const child of children) {
    child.stderr.pipe(process.stderr, { end: false });
    child.stdin.end(moment);
  }
  return await Promise.all(results);
}

async function resultOf(child: ChildProcess): Promise<RunResult> {
  const [[status], output] = await Promise.all([once(child, 'close'), text(child.stdout!)]);
  return { status: status ?? undefined, output };
}
