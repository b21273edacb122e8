import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { journalNames, TraceReader } from './read-trace.ts';
import { olderJournal, TraceJournal } from './trace-journal.ts';

function place(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'varve-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return { directory, path: join(directory, journalNames.machines) };
}

const stepAt = (timeMs: number) =>
  ({ kind: 'entry', mac: '52:54:00:12:34:56', entry: `e${timeMs}`, boot: 'nbd', timeMs }) as const;
const timesOf = (reader: TraceReader) => reader.read().map(({ step }) => step.timeMs);

test('a journal is in two files of bounded size, and a reader that follows misses nothing', (t) => {
  const { directory, path } = place(t);
  const reader = new TraceReader(directory);
  using journal = new TraceJournal(path, 2000);
  const seen: number[] = [];
  for (let count = 0; count < 300; count += 1) {
    journal.append(stepAt(count));
    journal.flush();
    if (count % 7 === 0) seen.push(...timesOf(reader));
  }
  seen.push(...timesOf(reader));
  assert.deepEqual(
    seen,
    Array.from({ length: 300 }, (_, index) => index),
  );
  for (const each of [path, olderJournal(path)]) assert.ok(statSync(each).size <= 2200);
});

test('lines that are torn, or no steps, are passed over', (t) => {
  const { directory, path } = place(t);
  const good = JSON.stringify(stepAt(5));
  const wrong = [
    '',
    '{',
    'null',
    '[]',
    '{"kind":"file","timeMs":1}',
    '{"kind":"x","timeMs":1}',
    '{"kind":"write","timeMs":"1"}',
    '{"kind":"entry","timeMs":1,"entry":"a","boot":"b","files":[1]}',
    '{"kind":"entry","timeMs":1,"entry":{},"boot":"b"}',
  ];
  writeFileSync(path, `${[...wrong, good].join('\n')}\n${good.slice(0, 20)}`);
  const reader = new TraceReader(directory);
  assert.deepEqual(timesOf(reader), [5]);
  appendFileSync(path, `${good.slice(20)}\n`);
  assert.deepEqual(timesOf(reader), [5]);
});

test('a journal that was emptied, or taken away, is read on from its beginning', (t) => {
  const { directory, path } = place(t);
  const reader = new TraceReader(directory);
  const line = (timeMs: number) => `${JSON.stringify(stepAt(timeMs))}\n`;
  writeFileSync(path, line(1) + line(2));
  assert.deepEqual(timesOf(reader), [1, 2]);
  truncateSync(path);
  appendFileSync(path, line(3));
  assert.deepEqual(timesOf(reader), [3]);
  renameSync(path, join(directory, 'elsewhere'));
  assert.deepEqual(timesOf(reader), []);
  writeFileSync(path, line(4));
  assert.deepEqual(timesOf(reader), [4]);
});

test('whatever is in a journal, reading it ends without harm', (t) => {
  const { directory, path } = place(t);
  const value = fc.oneof(fc.json(), fc.string(), fc.constant(JSON.stringify(stepAt(1))));
  fc.assert(
    fc.property(fc.array(value, { maxLength: 20 }), (lines) => {
      writeFileSync(path, lines.join('\n'));
      new TraceReader(directory).read();
    }),
    { numRuns: 100 },
  );
});
