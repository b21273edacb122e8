/**
 * What a silent log costs, a call. `npm run bench log`; `node bench/log.ts --whole` runs the whole loop of
 * 1000 × 1000 × 1000 up to its failure at (997, 123, 0) instead, three billion calls, some minutes long.
 */
import { createLog, type Log } from '../src/log/log.ts';
import { plainSink } from '../src/log/plain-sink.ts';
import { contest } from './runner/contest.ts';
import { formatTime } from './runner/report.ts';
import { runBenchmark } from './runner/run-benchmark.ts';

const failure: readonly [pass: number, voltage: number, pulse: number] = [997, 123, 0];

/** Runs the measuring loop up to `maximumCalls` or to its failure, and says how many calls it made. */
function measure(log: Log, maximumCalls: number): number {
  let calls = 0;
  for (let pass = 0; pass < 1000; pass += 1) {
    log(1, 'pass %d', pass);
    for (let voltage = 0; voltage < 1000; voltage += 1) {
      log(2, 'voltage %d', voltage);
      for (let pulse = 0; pulse < 1000; pulse += 1) {
        log(3, 'pulse %d', pulse);
        log(3, 'performing test');
        log(3, 'setting pulse');
        if (pass === failure[0] && voltage === failure[1] && pulse === failure[2]) {
          log.fail('setting pulse failed');
          return calls;
        }
      }
      calls += 3000;
      if (calls >= maximumCalls) return calls;
    }
  }
  return calls;
}

/** Milliseconds that one of the `count` things takes that `run` does and counts. */
async function timeOne(run: () => number | Promise<number>): Promise<number> {
  const start = performance.now();
  const count = await run();
  return (performance.now() - start) / count;
}

const calls = 10_000_000;
const repetitions = 300_000;
const limitMs = 0.001;
const log = createLog();

const things: Readonly<Record<string, () => number | Promise<number>>> = {
  'a silent call': () => measure(log, calls),
  'a silent call, two scopes deep': () => log.scope('outer', () => log.scope('inner', () => measure(log, calls))),
  'a silent call on the scope itself': () => log.scope('outer', (scope) => measure(scope, calls)),
  'a scope': () => {
    for (let index = 0; index < repetitions; index += 1) log.scope('inner', () => {});
    return repetitions;
  },
  'a scope, asynchronous': async () => {
    for (let index = 0; index < repetitions; index += 1) await log.scope('inner', async () => {});
    return repetitions;
  },
  'progress.advance': () => {
    using progress = log.progress({ label: 'importing', totalBytes: repetitions });
    for (let index = 0; index < repetitions; index += 1) progress.advance(1);
    return repetitions;
  },
};

if (process.argv.includes('--whole')) {
  const printing = createLog({ sinks: [plainSink(process.stdout)] });
  const time = await timeOne(() => measure(printing, Number.POSITIVE_INFINITY));
  console.log(`a silent call, the whole loop: ${formatTime(time)}`);
} else {
  await runBenchmark({ title: 'log: what logging costs that nobody sees', rounds: 5 }, async ({ report, rounds }) => {
    const contestants = Object.entries(things).map(([name, run]) => ({ name, run: () => timeOne(run) }));
    const result = await contest(contestants, { rounds });
    for (const name of result.names) report.add(name, result.summary(name));
    const { median } = result.summary('a silent call');
    report.target('a silent call', median * 1e6, 'ns', { atMost: limitMs * 1e6 });
  });
}
