import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closestWord } from './closest-word.ts';

const words = ['clone', 'snapshot', 'restore', 'remove', 'rename', 'log', 'list', 'gc'];

for (const [typed, meant] of [
  ['clon', 'clone'],
  ['colne', 'clone'],
  ['snpashot', 'snapshot'],
  ['snap', 'snapshot'],
  ['lgo', 'log'],
  ['lst', 'list'],
  ['remov', 'remove'],
  ['x', undefined],
  ['delete', undefined],
] as const) {
  test(`closestWord takes ${typed} for ${meant ?? 'nothing that is there'}`, () => {
    assert.equal(closestWord(typed, words), meant);
  });
}
