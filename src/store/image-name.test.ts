import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../base/varve-error.ts';
import { imageName, isImageName, parseReference, tagName } from './image-name.ts';

const invalid = { name: 'VarveError', code: 'INVALID' };

const good = [
  'web',
  'Web-2',
  '_x',
  'a.b+c_d-e',
  '10',
  'ä',
  'Жук',
  '日本語',
  'e\u0301tat',
  'web.qcow2',
  'a'.repeat(128),
];
const hostile = [
  '',
  '.',
  '..',
  '.hidden',
  '-option',
  '+x',
  'a/b',
  '/etc/passwd',
  '../../etc/passwd',
  'a..b',
  'a\\b',
  'a b',
  ' a',
  'a ',
  'a\n',
  'a\0b',
  'a:b',
  'a@b',
  'a{b}',
  'a*',
  '$(reboot)',
  "a'b",
  'a\u202eb',
  'a\u200bb',
  '\u0301a',
  '\ud800',
  '😀',
  'a'.repeat(129),
  'ä'.repeat(65),
];

describe('imageName', () => {
  test('takes letters and digits of any script, and a few signs', () => {
    for (const name of good) assert.equal(imageName(name), name.normalize('NFC'));
  });

  test('refuses what could be a path, an option, a reference or invisible, in one line', () => {
    for (const name of hostile) {
      assert.equal(isImageName(name.normalize('NFC')), false, JSON.stringify(name));
      assert.throws(() => imageName(name), { ...invalid, message: /^[^\n]* cannot name an image: [^\n]*$/ });
    }
  });

  test('gives the two spellings of a letter one name', () => {
    assert.equal(imageName('e\u0301'), imageName('\u00e9'));
  });

  test('of any text is a plain file name that stays as it is, or INVALID', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 12 }), (text) => {
        try {
          const name = imageName(text);
          assert.equal(imageName(name), name);
          assert.equal(posix.normalize(`images/${name}`), `images/${name}`);
          assert.ok(!/[\s/\\@{}]/.test(name) && Buffer.byteLength(name) <= 128);
        } catch (error) {
          assert.ok(isVarveError(error, 'INVALID'), `${error}`);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('tagName', () => {
  test('takes what can name an image, but for numbers', () => {
    for (const name of good.filter((text) => text !== '10')) assert.equal(tagName(name), name.normalize('NFC'));
    for (const name of [...hostile, '0', '7', '10', '007']) assert.throws(() => tagName(name), invalid);
    assert.equal(tagName('1.0'), '1.0');
    assert.equal(tagName('__proto__'), '__proto__');
  });
});

describe('parseReference', () => {
  const expected = {
    web: { kind: 'newest' },
    'web@3': { kind: 'number', number: 3 },
    'web@123456789012345': { kind: 'number', number: 123_456_789_012_345 },
    'web@before-upgrade': { kind: 'tag', tag: 'before-upgrade' },
    'web@3rd': { kind: 'tag', tag: '3rd' },
    'web@e\u0301': { kind: 'tag', tag: '\u00e9' },
    'web@{beef}': { kind: 'id', prefix: 'beef' },
    'web@{BEEF1}': { kind: 'id', prefix: 'beef1' },
    [`web@{${'0a'.repeat(32)}}`]: { kind: 'id', prefix: '0a'.repeat(32) },
  };

  test('tells the newest, a number, a tag and a prefix apart', () => {
    for (const [text, selector] of Object.entries(expected)) {
      assert.deepEqual(parseReference(text), { image: 'web', selector }, text);
    }
    assert.deepEqual(parseReference('e\u0301@1'), { image: '\u00e9', selector: { kind: 'number', number: 1 } });
  });

  test('refuses everything else in one line', () => {
    const wrong = ['web@', 'web@0', 'web@03', 'web@-1', 'web@@1', 'web@{}', 'web@{bee}', 'web@{beeg}'];
    const more = [`web@{${'a'.repeat(65)}}`, 'web@{beef', 'web@1234567890123456', 'web@a/b', 'web@a@b', '@1', '@', ''];
    for (const text of [...wrong, ...more, ...hostile.filter((each) => each !== 'a@b')]) {
      assert.throws(() => parseReference(text), { ...invalid, message: /^[^\n]+$/ }, JSON.stringify(text));
    }
  });

  test('answers any text with a reference or INVALID, and long ones soon', () => {
    const text = fc.tuple(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(text, ([image, selector]) => {
        for (const each of [image, `${image}@${selector}`, `web@${selector}`, `web@{${selector}}`]) {
          try {
            parseReference(each);
          } catch (error) {
            assert.ok(isVarveError(error, 'INVALID'), `${error}`);
          }
        }
      }),
    );
    assert.throws(
      () => parseReference(`${'a.'.repeat(500_000)}@x`),
      ({ message }) => message.length < 300,
    );
  });
});
