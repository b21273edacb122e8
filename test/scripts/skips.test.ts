import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Skips } from '../../scripts/test/skips.ts';

test('Skips lists the skipped tests by reason', () => {
  const skips = new Skips();
  skips.note({ name: 'ran' });
  assert.equal(skips.summary(), '');
  skips.note({ name: 'one', skip: 'no tool', file: '/x' });
  skips.note({ name: 'two', skip: 'no\n  tool' });
  assert.match(skips.summary(), /^\nSkipped:\n {2}no tool\n {4}.*: one\n {4}two$/);
  assert.equal(skips.hasUnexplained, false);
});

for (const skip of [true, '']) {
  test(`Skips finds a skip without a reason (${JSON.stringify(skip)})`, () => {
    const skips = new Skips();
    skips.note({ name: 'one', skip });
    assert.equal(skips.hasUnexplained, true);
  });
}
