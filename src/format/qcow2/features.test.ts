import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeFeatureNames, encodeFeatureNames, featureNames, knownFeatures } from './features.ts';

test('feature names come back as they were written', () => {
  assert.deepEqual(decodeFeatureNames(encodeFeatureNames(knownFeatures)), knownFeatures);
});

test('entries of unknown type, impossible bits and a cut-off last entry are passed over', () => {
  const table = encodeFeatureNames(knownFeatures.slice(0, 4));
  table[48] = 9;
  table[97] = 64;
  const names = decodeFeatureNames(table.subarray(0, -1)).map(({ name }) => name);
  assert.deepEqual(names, ['dirty bit']);
});

test('a name of full length has no zero at its end', () => {
  const name = 'x'.repeat(46);
  const table = encodeFeatureNames([{ kind: 'compatible', bit: 5, name: `${name}cut` }]);
  assert.deepEqual(decodeFeatureNames(table), [{ kind: 'compatible', bit: 5, name }]);
});

test('bits are named by the image first, then by us, then by number', () => {
  const own = [
    { kind: 'incompatible', bit: 0, name: 'my dirt' },
    { kind: 'incompatible', bit: 1, name: '' },
  ] as const;
  const names = featureNames('incompatible', 0b10_0000_0011n, own);
  assert.deepEqual(names, ['my dirt', 'corrupt bit', 'unknown incompatible feature 9']);
});
