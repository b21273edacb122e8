import { contest } from './contest.ts';
import { run } from './program.ts';
import type { Bench } from './run-benchmark.ts';

/** libguestfs boots its appliance itself; nested virtualisation, where it claims to be there, may hang it for minutes. */
const env = { ...process.env, LIBGUESTFS_BACKEND: 'direct', LIBGUESTFS_BACKEND_SETTINGS: 'force_tcg' };

/** Runs a program of libguestfs once, as each call boots a machine, which takes tens of seconds without KVM. */
export async function inAppliance(bench: Bench, command: readonly [program: string, ...args: string[]]): Promise<void> {
  if (!bench.has(command[0])) return;
  const name = `${command.filter((part) => !part.startsWith('/')).join(' ')}, once, TCG`;
  const contestant = { name, run: () => run(command, { env }).milliseconds };
  bench.report.add(name, (await contest([contestant], { rounds: 1, warmUps: 0 })).summary(name));
}
