/**
 * All of QEMU's file tests, or those named, with every image that they make read by us and by qemu-img:
 * `npm run iotests [-- TEST…] [--format FORMAT] [--keep DIRECTORY]`
 */
import { parseArgs } from 'node:util';
import { iotestsTools } from './iotests-tools.ts';
import type { Finding } from './judge.ts';
import { judgedTests, leftOutTests, outcomesAnyway } from './judged-tests.ts';
import { knownDifference } from './known-differences.ts';
import { qemuSource } from './qemu-source.ts';
import { runIotests } from './run-iotests.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { keep: { type: 'string' }, format: { type: 'string', default: 'qcow2' } },
});
const source = await qemuSource();
if ('reason' in source) throw new Error(source.reason);
const { directory } = source;
const counts = new Map<string, number>();
const count = (what: string): unknown => counts.set(what, (counts.get(what) ?? 0) + 1);

function tell(finding: Finding): void {
  const { after, aspect, detail, image, outcome, test } = finding;
  const known = outcome === 'different' ? knownDifference(finding) : undefined;
  count(`${aspect} ${outcome}${known === undefined ? '' : `, as known: ${known}`}`);
  if (outcome === 'left out') count(`${aspect} left out: ${detail}`);
  if (outcome !== 'different' || known !== undefined) return;
  console.log(`✖ ${test}, ${image}, after ${after}\n  ${aspect}: ${detail}`);
  process.exitCode = 1;
}

async function runFor(format: string, tests: readonly string[]): Promise<void> {
  const { outcomes } = await runIotests({
    ...{ source: directory, tests, tools: iotestsTools(), format, keepDirectory: values.keep, onFinding: tell },
  });
  for (const [test, outcome] of outcomes) {
    count(`tests: ${outcome.replace(/\W*$/, '')}`);
    if (/^(pass|not run)/.test(outcome) || outcome.startsWith(outcomesAnyway[test] ?? 'pass')) continue;
    console.log(`✖ ${format} ${test}: ${outcome}`);
    process.exitCode = 1;
  }
}

if (positionals.length > 0) await runFor(values.format, positionals);
else for (const [format, tests] of Object.entries(judgedTests)) await runFor(format, tests);
for (const { reason, tests } of leftOutTests) console.log(`· left out, as it ${reason}: ${tests}`);
for (const [what, times] of [...counts].sort()) console.log(`${String(times).padStart(6)}  ${what}`);
