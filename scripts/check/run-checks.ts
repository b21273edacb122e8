import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { developmentEnvironment, projectDirectory } from '../project.ts';

/** The commands to run, each with its arguments, by the name they are reported under. */
export type Checks = Readonly<Record<string, readonly [command: string, ...options: string[]]>>;

/** Runs all `checks` at once, says how each went as it ends, with its output if it failed; resolves to "all passed". */
export async function runChecks(checks: Checks): Promise<boolean> {
  const passed = await Promise.all(
    Object.entries(checks).map(async ([name, command]) => {
      const startedMs = performance.now();
      const { status, output } = await run(command);
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
      console.log(`${status === 0 ? '✔' : '✖'} ${name} (${seconds} s)`);
      if (status !== 0) console.log(output.trimEnd());
      return status === 0;
    }),
  );
  return passed.every(Boolean);
}

async function run([command, ...options]: readonly [string, ...string[]]): Promise<{
  status: unknown;
  output: string;
}> {
  const child = spawn(command, options, {
    cwd: projectDirectory,
    env: developmentEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [[status], out, error] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]);
  return { status, output: out + error };
}
