import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import { element, escapeXml, formatXml, textElement } from './xml.ts';

test('escapeXml leaves nothing that XML forbids, and nothing that a terminal would obey', () => {
  assert.equal(escapeXml('a<b>&"c"'), 'a&lt;b&gt;&amp;&quot;c&quot;');
  assert.equal(escapeXml('\x1b[31m\0\ufffe\ud800'), '\ufffd[31m\ufffd\ufffd\ufffd');
  assert.equal(escapeXml('\r\x9b\u202e'), '&#13;&#155;&#8238;');
  assert.equal(escapeXml('tab\tline\né漢😀'), 'tab\tline\né漢😀');
});

test('formatXml indents elements, and writes texts as they are', () => {
  const root = element('a', [textElement('b', ' x\n y '), textElement('c', undefined), element('d', [], { e: '"' })]);
  assert.equal(formatXml(root), '<?xml version="1.0"?>\n<a>\n  <b> x\n y </b>\n  <d e="&quot;"/>\n</a>');
});

describe('formatXml beside xmllint', { skip: skipWithout('xmllint') }, () => {
  test('whatever stands in a document, it reads it back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const input = formatXml(element('a', text, { b: text.replace(/[\t\n]/g, ' ') }));
        const { status, stdout } = spawnSync('xmllint', ['--xpath', 'string(/a)', '-'], { input, encoding: 'utf8' });
        assert.equal(status, 0, input);
        const kept = text.toWellFormed().replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd');
        assert.equal(stdout.replace(/\n$/, ''), kept.replace(/\n$/, ''));
      }),
      { numRuns: 50 },
    );
  });
});
