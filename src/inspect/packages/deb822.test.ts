import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readStanzas } from './deb822.ts';

const wanted = new Set(['package', 'description']);

function read(text: string): { line: number; fields: Record<string, string> }[] {
  return [...readStanzas(text, wanted)].map(({ line, fields }) => ({ line, fields: Object.fromEntries(fields) }));
}

test('readStanzas takes records apart, whatever the case of names and the number of lines between', () => {
  const text = '\nPACKAGE: a\nDescription: one \n two\n .\n  three \n\n\nPackage:b\nOther: x\n more\nno field\n';
  assert.deepEqual(read(text), [
    { line: 2, fields: { package: 'a', description: 'one \ntwo\n.\n three' } },
    { line: 9, fields: { package: 'b' } },
  ]);
});

test('readStanzas finds nothing in nothing, and takes what does not end as it is', () => {
  assert.deepEqual(read(''), []);
  assert.deepEqual(read('\n\n'), []);
  assert.deepEqual(read(' continued before it began\nPackage: a\n b'), [{ line: 2, fields: { package: 'a\nb' } }]);
});

test('readStanzas does not slow down with the number of lines of a field', () => {
  const [record] = read(`Package: ${'\n line'.repeat(200_000)}`);
  assert.equal(record?.fields.package?.length, 200_000 * 5);
});
