import assert from 'node:assert/strict';
import { test } from 'node:test';
import { iotestsTools } from './iotests/iotests-tools.ts';
import { knownDifference } from './iotests/known-differences.ts';
import { nbdSample } from './iotests/nbd-tests.ts';
import { qemuSource } from './iotests/qemu-source.ts';
import { runIotests } from './iotests/run-iotests.ts';
import { runNbdIotests } from './iotests/run-nbd-iotests.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io', 'qemu-nbd', 'apt-get', 'python3');
/** Short ones that make images of many kinds; `npm run iotests` runs all. */
const sample = ['039', '042', '066', '107', '214', '290'];

test('images that a few of QEMU’s own tests make are read, mapped and checked as by qemu-img', { skip }, async (t) => {
  const source = await qemuSource();
  if ('reason' in source) return t.skip(source.reason);
  const { findings, log, outcomes } = await runIotests({
    source: source.directory,
    tests: sample,
    tools: iotestsTools(),
  });
  assert.equal(outcomes.size, sample.length, log);
  const differences = findings.filter(
    (finding) => finding.outcome === 'different' && knownDifference(finding) === undefined,
  );
  assert.deepEqual(differences, []);
  for (const aspect of ['content', 'map', 'check']) {
    const same = findings.filter((finding) => finding.aspect === aspect && finding.outcome === 'same');
    assert.ok(same.length > 20, `${same.length} images had the same ${aspect}`);
  }
  // What the test prints is as it should be: nobody is in its way.
  assert.match(outcomes.get('039') ?? '', /^pass/);
});

for (const group of nbdSample) {
  const name = `with varve serve in the place of qemu-nbd, a few of QEMU’s own tests pass: ${group.options.join(' ')}`;
  test(name, { skip }, async (t) => {
    const source = await qemuSource();
    if ('reason' in source) return t.skip(source.reason);
    const common = { source: source.directory, tools: iotestsTools() };
    const { log, outcomes } = await runNbdIotests({ ...common, ...group, server: 'varve' });
    for (const number of group.tests) assert.match(outcomes.get(number) ?? '', /^pass/, log);
  });
}
