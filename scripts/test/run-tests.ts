import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { Skips } from './skips.ts';

/** How long one test file may take before it counts as hanging, in milliseconds. */
const fileTimeoutMs = 20 * 60 * 1000;

/** Runs the test files that `patterns` match, two at a time, prints every test and the skips; resolves to "all passed". */
export async function runTests(patterns: readonly string[]): Promise<boolean> {
  const skips = new Skips();
  let failures = 0;
  const events = run({ globPatterns: [...patterns], concurrency: 2, timeout: fileTimeoutMs });
  events.on('test:pass', (test) => skips.note(test));
  events.on('test:fail', () => {
    failures += 1;
  });
  const report = events.compose(new spec());
  report.pipe(process.stdout, { end: false });
  await finished(report);
  const summary = skips.summary();
  if (summary !== '') console.log(summary);
  return failures === 0 && !skips.hasUnexplained;
}
