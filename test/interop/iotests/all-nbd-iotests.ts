/**
 * All of QEMU's tests in which a server on NBD has a part, or those named, with `varve serve` in the place of qemu-nbd
 * and then with qemu-nbd: `npm run iotests:nbd [-- TEST…]`. Tells where we fail and QEMU's server does not.
 */
import { iotestsTools } from './iotests-tools.ts';
import { differingLines, knownNbdDifference } from './nbd-differences.ts';
import { leftOutNbdTests, type NbdTests, nbdTests } from './nbd-tests.ts';
import { qemuSource } from './qemu-source.ts';
import { runNbdIotests } from './run-nbd-iotests.ts';

const named = process.argv.slice(2);
const source = await qemuSource();
if ('reason' in source) throw new Error(source.reason);
const common = { source: source.directory, tools: iotestsTools() };
const reasons = new Map<string, Set<string>>();
let passed = 0;

async function runGroup(group: NbdTests): Promise<void> {
  const ours = await runNbdIotests({ ...common, ...group, server: 'varve' });
  const theirs = await runNbdIotests({ ...common, ...group, server: 'qemu-nbd' });
  for (const test of group.tests) {
    const title = `${group.options.join(' ')} ${test}`;
    const [our, their] = [ours, theirs].map(({ outcomes }) => outcomes.get(test) ?? 'nothing');
    console.log(`${title}: varve ${our}, qemu-nbd ${their}`.replaceAll(/ \(see [^)]*\)/g, ''));
    const anyway = differingLines(theirs.log, test);
    const unknown = differingLines(ours.log, test).filter(
      (line) => !anyway.includes(line) && !isKnown(title, test, line),
    );
    if (our?.startsWith('pass')) passed += 1;
    if (unknown.length === 0 && !(our === 'nothing' && their !== our)) continue;
    console.log(['✖ for no known reason:', ...unknown].join('\n  '));
    process.exitCode = 1;
  }
}

function isKnown(title: string, test: string, line: string): boolean {
  const reason = knownNbdDifference(test, line);
  if (reason === undefined) return false;
  reasons.set(reason, (reasons.get(reason) ?? new Set()).add(title));
  return true;
}

for (const { options, tests } of nbdTests) {
  const wanted = named.length === 0 ? tests : tests.filter((test) => named.includes(test));
  if (wanted.length > 0) await runGroup({ options, tests: wanted });
}
for (const [reason, tests] of reasons) console.log(`· ${[...tests].join(', ')}: ${reason}`);
for (const [reason, tests] of Object.entries(leftOutNbdTests)) console.log(`· left out, as they ${reason}: ${tests}`);
console.log(`${passed} pass`);
