/** What starting costs: `varve --version` beside a bare Node. `npm run bench start` */
import { join } from 'node:path';
import { projectDirectory } from '../scripts/setup/project.mjs';
import { type Contestant, contest } from './runner/contest.ts';
import { bareNode, run, varve } from './runner/program.ts';
import { runBenchmark } from './runner/run-benchmark.ts';

await runBenchmark(
  { title: 'start: varve --version beside a bare node -e 0', rounds: 40 },
  async ({ report, rounds }) => {
    const node = starter('node -e 0', bareNode);
    const installed = starter('varve --version', varve('--version'));
    const clone = starter('./varve --version, in a clone', [join(projectDirectory, 'varve'), '--version']);
    const help = starter('varve --help', varve('--help'));
    const result = await contest([node, installed, clone, help], { rounds, warmUps: 3 });
    for (const name of result.names) report.add(name, result.summary(name));
    report.target('time, varve --version : node -e 0', result.ratio(installed.name, node.name), '×', { atMost: 1.6 });
  },
);

function starter(name: string, command: readonly string[]): Contestant {
  return { name, run: () => run(command).milliseconds };
}
