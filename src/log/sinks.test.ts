import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VarveError } from '../base/varve-error.ts';
import { jsonSink } from './json-sink.ts';
import { createLog } from './log.ts';
import { plainSink } from './plain-sink.ts';
import { printable, printableJson } from './printable.ts';
import { sinkFor } from './sink-for.ts';

/** A stream that keeps what is written. */
function textStream() {
  const written: string[] = [];
  return { write: (text: string) => written.push(text), text: () => written.join('') };
}

const hostile = 'a\x1b]0;title\x07\r\nerror: fake\u202egnp\x9b2J';

test('plainSink prints one plain line for each, whatever a name holds', () => {
  const stream = textStream();
  const log = createLog({ sinks: [plainSink(stream)] });
  log.scope(hostile, () => {
    log(1, 'reading %s', hostile);
    log.fail('cannot read %s', hostile);
  });
  const shown = 'a\\x1b]0;title\\x07\\r\\nerror: fake\\u202egnp\\x9b2J';
  assert.equal(stream.text(), `${shown}\nreading ${shown}\nerror: cannot read ${shown}\n`);
});

test('plainSink begins errors as it is told, indents a stack, and prints nothing of progress', () => {
  const stream = textStream();
  const log = createLog({ sinks: [plainSink(stream, { errorPrefix: 'varve: ' })], verbose: true });
  using progress = log.progress({ label: 'importing', totalBytes: 10 });
  progress.advance(10);
  log.error(new Error('broken'));
  const [first, ...stack] = stream.text().trimEnd().split('\n');
  assert.equal(first, 'varve: broken');
  assert.ok(stack.length > 1 && stack.every((line) => line.startsWith('  ')));
});

test('jsonSink prints an object for each line, errors with code and path', () => {
  const stream = textStream();
  const log = createLog({ sinks: [jsonSink(stream)] });
  log.scope('import', () => {
    log(1, 'reading %s', hostile);
    log.error(new VarveError('CORRUPT', 'bad magic'));
  });
  const text = stream.text();
  assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\u202e]/u);
  const records = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  for (const record of records) {
    assert.ok(Math.abs(Date.now() - Date.parse(record.time)) < 600_000);
    delete record.time;
  }
  assert.deepEqual(records, [
    { type: 'scope', depth: 0, text: 'import' },
    { type: 'message', depth: 1, text: `reading ${hostile}`, template: 'reading %s' },
    { type: 'error', depth: 1, text: 'bad magic', code: 'CORRUPT', path: ['import', `reading ${hostile}`] },
  ]);
});

test('jsonSink prints progress at its start, its end and once a second', () => {
  const stream = textStream();
  let now = 0;
  const log = createLog({ sinks: [jsonSink(stream)], clock: () => now });
  log.scope('import', () => {
    using progress = log.progress({ label: 'importing', totalBytes: 4000 });
    for (let step = 0; step < 25; step += 1) {
      now += 100;
      progress.advance(100);
    }
  });
  const records = stream
    .text()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    records.map(({ state, bytes }) => [state, bytes]),
    [
      ['started', 0],
      ['advanced', 1000],
      ['advanced', 2000],
      ['ended', 2500],
    ],
  );
  const { time: _time, ...second } = records[1];
  assert.deepEqual(second, {
    type: 'progress',
    state: 'advanced',
    label: 'importing',
    scopes: ['import'],
    bytes: 1000,
    totalBytes: 4000,
    bytesPerSecond: 1000,
    timeLeftMs: 3000,
  });
});

test('printable shows every character a terminal would obey, and leaves the rest', () => {
  assert.equal(printable('web – grüß 日本 👩‍💻'), 'web – grüß 日本 👩‍💻');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(printable(text), /[\p{Cc}\u2028-\u202e\u2066-\u2069]/u);
      const json = printableJson(JSON.stringify(text));
      assert.doesNotMatch(json, /[\p{Cc}\u2028-\u202e\u2066-\u2069]/u);
      assert.equal(JSON.parse(json), text);
    }),
  );
});

test('sinkFor draws only on a terminal that can', () => {
  const kinds = (isTTY: boolean, TERM: string) => {
    const stream = { ...textStream(), isTTY };
    const log = createLog({ sinks: [sinkFor(stream, { environment: { TERM } })] });
    log.fail('broken');
    return stream.text();
  };
  assert.equal(kinds(true, 'xterm'), '\x1b[31merror: broken\x1b[39m\n');
  assert.equal(kinds(true, 'dumb'), 'error: broken\n');
  assert.equal(kinds(false, 'xterm'), 'error: broken\n');
});
