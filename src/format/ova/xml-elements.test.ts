import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { xmlElements } from './xml-elements.ts';

function elements(text: string): [name: string, parent: string, attributes: Record<string, string>][] {
  return Array.from(xmlElements(text), ({ attributes, name, parent }) => [
    name,
    parent,
    Object.fromEntries(attributes),
  ]);
}

test('elements have local names, parents and attributes', () => {
  const text = `\uFEFF<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]>
<!-- <no/> --><o:a x="1" o:y = 'a "b"' z="&lt;&amp;&#65;&#x42;&unknown;">text <b/> <![CDATA[<no/>]]>
<c
  d=">"
></c></o:a><e f="unquoted" g=h i="j"/>`;
  assert.deepEqual(elements(text), [
    ['a', '', { x: '1', y: 'a "b"', z: '<&AB&unknown;' }],
    ['b', 'a', {}],
    ['c', 'a', { d: '>' }],
    ['e', '', { f: 'unquoted' }],
  ]);
});

test('no text takes long, or makes it throw', () => {
  const long = 500_000;
  for (const text of [
    ...['<', '<a ', '<a b="', '<!--', '<![CDATA[', '<?', '<!', '="', '</a>', "<a b='c' "].map((part) =>
      part.repeat(long),
    ),
    `<a ${' '.repeat(long)}=${' '.repeat(long)}"x">`,
    `<a ${'x'.repeat(long)}>`,
  ]) {
    let count = 0;
    for (const _ of xmlElements(text)) count += 1;
    assert.ok(count <= long);
  }
});

test('any characters give some elements', () => {
  const part = fc.constantFrom(
    '<',
    '>',
    '/',
    '"',
    "'",
    '=',
    'a',
    ':',
    ' ',
    '!',
    '-',
    '?',
    '[',
    ']',
    '&',
    ';',
    '#',
    '&#0;',
  );
  fc.assert(fc.property(fc.array(part), (parts) => void elements(parts.join(''))));
});
