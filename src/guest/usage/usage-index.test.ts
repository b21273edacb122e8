import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageIndex } from './usage-index.ts';
import { usagePage, usageSection } from './usage-page.ts';

/** `/` with a file, `/a` with one file and `/a/b` with two, and `/c`, which is empty. */
function sampleIndex(keepsNames = false): UsageIndex {
  const index = new UsageIndex(keepsNames);
  const root = index.addDirectory('/', -1, 4, 10);
  index.addFile('x', 100, 20);
  const a = index.addDirectory('/a', root, 4, 10);
  index.addFile('y', 200, 30);
  index.addDirectory('/a/b', a, 4, 10);
  index.addFile('<script>&"\'', 300, 40);
  index.addFile('w', 400, 50);
  index.addDirectory('/c', root, 4, 15);
  index.finish();
  return index;
}

test('UsageIndex adds up each directory with all below it, and dates it by the newest', () => {
  const totals = sampleIndex().totals();
  assert.deepEqual(
    totals.map(({ bytes, files, newest, oldest }) => [bytes, files, oldest, newest]),
    [
      [1016, 4, 15, 50],
      [908, 3, 30, 50],
      [704, 2, 40, 50],
      [4, 0, 15, 15],
    ],
  );
});

test('UsageIndex leaves out what was used since', () => {
  const totals = sampleIndex().totals({ before: 31 });
  assert.deepEqual(
    totals.map(({ bytes, files, newest }) => [bytes, files, newest]),
    [
      [304, 2, 30],
      [200, 1, 30],
      [0, 0, undefined],
      [4, 0, 15],
    ],
  );
});

test('UsageIndex knows which directories are right in one', () => {
  const index = sampleIndex();
  assert.deepEqual([...index.children(0)], [1, 3]);
  assert.deepEqual([...index.children(1)], [2]);
  assert.deepEqual([...index.children(3)], []);
});

test('UsageIndex holds many more items than it began with', () => {
  const index = new UsageIndex(false);
  index.addDirectory('/', -1, 0, 0);
  for (let each = 0; each < 5000; each++) index.addFile('', each, each);
  index.finish();
  assert.deepEqual(index.totals(), [{ bytes: (4999 * 5000) / 2, files: 5000, oldest: 0, newest: 4999 }]);
});

test('a page holds nothing of a disk that is not text', () => {
  const index = sampleIndex(true);
  const nameText = (name: string) => name;
  const link = (each: number) => `#d${each}`;
  const options = { disk: '<i>"d"', ageOf: 'access' as const, now: 60_000, link, nameText };
  const page = usagePage('<title>', [usageSection(index, index.totals(), 2, options)]);
  assert.match(page, /&lt;script&gt;&amp;&quot;&#39;/);
  assert.match(page, /<a href="#d0">&lt;i&gt;&quot;d&quot;:\/<\/a>/);
  assert.doesNotMatch(page, /<script|<i>|<title><title>/);
});
