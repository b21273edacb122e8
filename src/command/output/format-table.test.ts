import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTable } from './format-table.ts';

test('formatTable aligns by what a terminal shows, cuts nothing and leaves no blanks at the end', () => {
  const rows = [
    ['é\u0301clair', '1', ''],
    ['漢字', '22', 'x'],
    ['a\nb', '333', 'y'],
  ];
  assert.equal(
    formatTable([{ title: 'NAME' }, { title: 'N', align: 'right' }, { title: 'LAST' }], rows),
    ['NAME      N  LAST', 'é\u0301clair    1', '漢字     22  x', 'a\\nb    333  y'].join('\n'),
  );
});

test('formatTable prints the headings alone where there are no rows', () => {
  assert.equal(formatTable([{ title: 'A' }, { title: 'B' }], []), 'A  B');
});
