import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Branch } from './branch.ts';

/** The rule, as the specification words it: a list of templates for each level. */
function model(messages: readonly (readonly [level: number, template: string])[]): string[] {
  const levels: string[][] = [];
  for (const [level, template] of messages) {
    const deeperSince = levels.slice(level + 1).some((templates) => (templates ?? []).length > 0);
    levels.length = Math.min(levels.length, level + 1);
    const own = levels[level] ?? [];
    levels[level] = deeperSince || own[0] === template ? [template] : [...own, template];
  }
  return levels.flatMap((templates) => templates ?? []);
}

const templates = (branch: Branch) => branch.path().map((entry) => entry.template);

test('Branch keeps what the rule keeps', () => {
  const message = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom('a', 'b', 'c'));
  fc.assert(
    fc.property(fc.array(message, { maxLength: 50 }), (messages) => {
      const branch = new Branch();
      for (const [level, template] of messages) branch.add(level, template, []);
      assert.deepEqual(templates(branch), model(messages));
    }),
  );
});

test('Branch: the rule is the same inside a scope, below the path to it', () => {
  const message = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom('a', 'b', 'c'));
  const messages = fc.array(message, { maxLength: 20 });
  fc.assert(
    fc.property(messages, messages, messages, (before, inside, meanwhile) => {
      const parent = new Branch();
      for (const [level, template] of before) parent.add(level, template, []);
      const scope = parent.open('scope');
      for (const [level, template] of meanwhile) parent.add(level, template, []);
      for (const [level, template] of inside) scope.add(level, template, []);
      assert.deepEqual(templates(scope), [...model(before), 'scope', ...model(inside)]);
    }),
  );
});

test('Branch: a finished scope leaves nothing but that something deeper was logged', () => {
  const branch = new Branch();
  branch.add(1, 'first step', []);
  branch.open('copy').close();
  assert.deepEqual(templates(branch), ['first step']);
  branch.add(1, 'second step', []);
  assert.deepEqual(templates(branch), ['second step']);
});

test('Branch: messages deeper than a finished scope start anew', () => {
  const branch = new Branch();
  branch.add(1, 'step', []);
  branch.open('copy').close();
  branch.add(2, 'detail', []);
  branch.add(2, 'more', []);
  branch.add(2, 'detail', []);
  assert.deepEqual(templates(branch), ['step', 'detail']);
});

test('Branch: a level that never starts over keeps its first message and the newest', () => {
  const branch = new Branch();
  branch.add(1, 'start', []);
  for (let index = 0; index < 10_000; index += 1) {
    branch.add(1, 'chunk %d', [index]);
    assert.ok(branch.path().length <= 65);
  }
  const path = branch.path();
  assert.equal(path[0]!.template, 'start');
  assert.deepEqual(path.at(-1)!.values, [9999]);
  assert.equal(path[0]!.leftOut + path.length, 10_001);
  assert.ok(path.length > 32);
});

test('Branch: children are the scopes that are open', () => {
  const branch = new Branch();
  const [first, second] = [branch.open('first'), branch.open('second')];
  assert.deepEqual([...branch.children], [first, second]);
  first.close();
  assert.deepEqual([...branch.children], [second]);
});
