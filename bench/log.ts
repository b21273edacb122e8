/**
 * What a silent log costs: nanoseconds a call, to stay under 1,000. `node bench/log.ts --whole` also runs the whole
 * loop of 1000 × 1000 × 1000 up to its failure at (997, 123, 0), three billion calls, some minutes long.
 */
import { createLog, type Log } from '../src/log/log.ts';
import { plainSink } from '../src/log/plain-sink.ts';

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

/** Prints how long one of the `count` things takes that `run` does and counts. */
async function report(name: string, run: () => number | Promise<number>): Promise<void> {
  const start = performance.now();
  const count = await run();
  console.log(`${name.padEnd(32)} ${(((performance.now() - start) * 1e6) / count).toFixed(1).padStart(8)} ns`);
}

const calls = 10_000_000;
const repetitions = 300_000;
const log = createLog();

measure(log, calls);
await report('silent call', () => measure(log, calls));
await log.scope('outer', () =>
  log.scope('inner', async (scope) => {
    await report('silent call, two scopes deep', () => measure(log, calls));
    await report('silent call on the scope itself', () => measure(scope, calls));
  }),
);
await report('scope', () => {
  for (let index = 0; index < repetitions; index += 1) log.scope('inner', () => {});
  return repetitions;
});
await report('scope, asynchronous', async () => {
  for (let index = 0; index < repetitions; index += 1) await log.scope('inner', async () => {});
  return repetitions;
});
await report('progress.advance', () => {
  using progress = log.progress({ label: 'importing', totalBytes: repetitions });
  for (let index = 0; index < repetitions; index += 1) progress.advance(1);
  return repetitions;
});
if (process.argv.includes('--whole')) {
  const printing = createLog({ sinks: [plainSink(process.stdout)] });
  await report('silent call, the whole loop', () => measure(printing, Number.POSITIVE_INFINITY));
}
