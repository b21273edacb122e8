/**
 * Addresses given out, with leases kept, beside dnsmasq with its lease file and without, with perfdhcp as the clients.
 * `npm run bench netboot-dhcp`
 */
import { join } from 'node:path';
import { Lab, skipWithoutLab } from '../test/netboot/lab.ts';
import { type Contestant, contest } from './runner/contest.ts';
import { startDnsmasq } from './runner/dnsmasq.ts';
import type { LabProgram } from './runner/lab-program.ts';
import { perfdhcp } from './runner/perfdhcp.ts';
import { runBenchmark } from './runner/run-benchmark.ts';
import { startRoom } from './runner/start-room.ts';
import { median } from './runner/statistics.ts';

const addresses = { network: '10.9.0.0/16', first: '10.9.1.0', last: '10.9.200.255', mask: '255.255.0.0' };
/** Exchanges that are begun in a second, each load for some seconds, until a server does no more than before. */
const loads = [125, 250, 500, 1000, 1500, 2000, 3000, 4000, 6000];
const seconds = 4;
/** What a server may leave unanswered at a load that counts as one it can take. */
const lossless = 0.01;
/** Less than this of the best so far is no progress. */
const giveUp = 0.9;

type Start = (lab: Lab) => Promise<LabProgram>;

const range = `--dhcp-range=${addresses.first},${addresses.last},${addresses.mask}`;
const servers: Readonly<Record<string, Start>> = {
  varve: (lab) =>
    startRoom(lab, {
      text: `networks:
  - { network: ${addresses.network}, range: ${addresses.first}-${addresses.last} }
entries:
  linux: { boot: kernel, files: ., kernel: room.yaml }
`,
    }),
  dnsmasq: (lab) => startDnsmasq(lab, range, `--dhcp-leasefile=${join(lab.directory, 'leases')}`),
  'dnsmasq, no lease file': (lab) => startDnsmasq(lab, range, '--leasefile-ro'),
};

/** What a server came to, of the loads that it was put to. */
interface Outcome {
  /** Exchanges completed in a second at the load at which these were most. */
  readonly most: number;
  /** The same at the largest load of which next to nothing was lost. */
  readonly lossless: number;
  /** Of the processors, in microseconds an exchange. */
  readonly processor: number;
}

const programs = ['perfdhcp', 'dnsmasq'];

await runBenchmark({ title: 'netboot: addresses given out', programs, rounds: 3 }, async (bench) => {
  if (!programs.every(bench.has)) return;
  const skip = skipWithoutLab(programs);
  if (skip !== false) return bench.report.note(`nothing was measured: ${skip}`);
  const outcomes = new Map<string, Outcome[]>(Object.keys(servers).map((name) => [name, []]));
  const contestants = Object.entries(servers).map(
    ([name, start]): Contestant => ({
      name,
      run: async () => {
        const outcome = await measure(start);
        outcomes.get(name)!.push(outcome);
        return 1000 / outcome.most;
      },
    }),
  );
  const result = await contest(contestants, { rounds: bench.rounds, warmUps: 0 });
  for (const name of result.names) {
    const summary = result.summary(name);
    const middle = (of: (outcome: Outcome) => number): string => median(outcomes.get(name)!.map(of)).toFixed(0);
    bench.report.add(name, summary, {
      'exchanges/s': (1000 / summary.median).toFixed(0),
      '… with ≤ 1 % lost': middle((outcome) => outcome.lossless),
      'processor, µs each': middle((outcome) => outcome.processor),
    });
  }
  bench.report.target('exchanges a second, kept', 1000 / result.summary('varve').median, '', { atLeast: 1500 });
  bench.report.target('time, ours : dnsmasq', result.ratio('varve', 'dnsmasq'), '×', { atMost: 1 });
  const without = result.ratio('varve', 'dnsmasq, no lease file');
  bench.report.target('time, ours, kept : dnsmasq, not kept', without, '×', { atMost: 1 });
  bench.report.note(
    `four-way exchanges of clients that are new, through a veth pair and a bridge; each load for ${seconds} s, on a server that was started anew`,
  );
});

async function measure(start: Start): Promise<Outcome> {
  await using lab = new Lab();
  await using server = await start(lab);
  const outcome = { most: 0, lossless: 0, processor: 0 };
  const before = server.processorMs();
  let count = 0;
  for (const load of loads) {
    const { lost, perSecond } = await perfdhcp(lab, { load, seconds });
    count += perSecond * seconds;
    if (lost <= lossless) outcome.lossless = perSecond;
    const isStuck = perSecond < outcome.most * giveUp;
    outcome.most = Math.max(outcome.most, perSecond);
    if (isStuck) break;
  }
  outcome.processor = ((server.processorMs() - before) * 1000) / count;
  return outcome;
}
