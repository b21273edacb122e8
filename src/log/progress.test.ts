import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from './log.ts';
import { memorySink } from './memory-sink.ts';
import { type ProgressStyle, progressLines } from './progress-lines.ts';

/** A log whose time only passes when the test says so. */
function setUp() {
  const time = { now: 5000 };
  const sink = memorySink();
  const log = createLog({ sinks: [sink], clock: () => time.now });
  return { time, sink, log };
}

test('Progress tells its sinks when it starts, advances and ends, and ends once', async () => {
  const { sink, log } = setUp();
  {
    await using progress = log.progress({ label: 'importing' });
    progress.advance(10);
    progress.done();
  }
  {
    using _progress = log.progress({ label: 'exporting' });
  }
  assert.deepEqual(
    sink.changes.map(({ progress, change }) => `${progress.label} ${change}`),
    ['importing started', 'importing advanced', 'importing ended', 'exporting started', 'exporting ended'],
  );
});

test('Progress.rate is that of the last seconds, and timeLeftMs follows it', () => {
  const { time, log } = setUp();
  using progress = log.progress({ label: 'importing', totalBytes: 100_000 });
  assert.equal(progress.rate, 0);
  assert.equal(progress.timeLeftMs, undefined);
  for (let step = 0; step < 100; step += 1) {
    time.now += 100;
    progress.advance(100);
  }
  assert.equal(progress.elapsedMs, 10_000);
  assert.equal(progress.rate, 1000);
  assert.equal(progress.timeLeftMs, 90_000);
  for (let step = 0; step < 60; step += 1) {
    time.now += 100;
    progress.advance(1000);
  }
  assert.equal(progress.rate, 10_000);
  assert.equal(progress.timeLeftMs, 3000);
});

test('Progress.rate goes down while nothing advances', () => {
  const { time, log } = setUp();
  using progress = log.progress({ label: 'importing', totalBytes: 2_000_000 });
  time.now += 1000;
  progress.advance(1_000_000);
  assert.equal(progress.rate, 1_000_000);
  time.now += 100_000;
  assert.ok(progress.rate < 20_000);
});

test('Progress knows the scopes it stands in, and not the messages', () => {
  const { log } = setUp();
  log.scope('import web', () => {
    log(1, 'reading');
    log.scope('store', () => {
      using progress = log.progress({ label: 'packing' });
      assert.deepEqual(
        progress.scopes.map((scope) => scope.name),
        ['import web', 'store'],
      );
    });
  });
});

const style: ProgressStyle = { columns: 100, bar: ['#', '-'], bold: (text) => `*${text}*` };

test('progressLines draws a tree with each scope once, and a bar for each progress', () => {
  const { time, log } = setUp();
  const running = log.scope('import web', () => [
    log.progress({ label: 'reading', totalBytes: 4 * 2 ** 20 }),
    ...['a', 'b'].map((name) => log.scope(name, () => log.progress({ label: `packing ${name}` }))),
  ]);
  time.now += 1000;
  for (const progress of running) progress.advance(2 ** 20);
  assert.deepEqual(progressLines(running, style), [
    '*import web*',
    '  reading  #######-----------------------   25 %  1 MiB of 4 MiB  1 MiB/s  3 s left',
    '*  a*',
    '    packing a  1 MiB  1 MiB/s  1 s',
    '*  b*',
    '    packing b  1 MiB  1 MiB/s  1 s',
  ]);
});

test('progressLines tells scopes of the same name apart', () => {
  const { log } = setUp();
  const running = [1, 2].map(() => log.scope('web', () => log.progress({ label: 'x' })));
  assert.equal(progressLines(running, style).filter((line) => line === '*web*').length, 2);
});

test('progressLines keeps to the width: a shorter bar, none, then a cut', () => {
  const { log } = setUp();
  const running = [log.progress({ label: 'importing a disk', totalBytes: 2 ** 30 })];
  for (const columns of [10, 30, 45, 60, 80, 200]) {
    const [line] = progressLines(running, { ...style, columns });
    assert.ok(line!.length <= columns, `${line!.length} characters of ${columns}`);
  }
  assert.match(progressLines(running, { ...style, columns: 60 })[0]!, /disk {2}-{8,} {2} {2}0 %/);
});

test('progressLines survives nothing to do, and more than was announced', () => {
  const { log } = setUp();
  const empty = log.progress({ label: 'empty', totalBytes: 0 });
  const grown = log.progress({ label: 'grown', totalBytes: 10 });
  grown.advance(20);
  for (const line of progressLines([empty, grown], style)) assert.match(line, /#{30} {2}100 %/);
});

test('progressLines escapes names', () => {
  const { log } = setUp();
  const running = log.scope('\x1b[2Jweb', () => [log.progress({ label: 'a\nb' })]);
  const text = progressLines(running, style).join('|');
  assert.ok(text.includes('\\x1b[2Jweb') && text.includes('a\\nb') && !text.includes('\x1b') && !text.includes('\n'));
});
