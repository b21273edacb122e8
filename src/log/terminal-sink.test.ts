import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from './log.ts';
import { terminalSink } from './terminal-sink.ts';

/** A terminal that understands what the sink uses and refuses everything else. */
class Screen {
  readonly isTTY = true;
  columns = 80;
  rows = 10;
  writes = 0;
  styled = false;
  readonly lines: string[] = [''];
  #row = 0;

  write(text: string): void {
    this.writes += 1;
    const visible = text.replaceAll('\x1b', '␛');
    for (const [token] of visible.matchAll(/␛\[\??\d*[A-Za-z]|\n|[^␛\n]+/g)) this.#obey(token);
  }

  /** What a person sees. */
  shown(): string[] {
    return this.lines.slice(0, this.lines.at(-1) === '' ? -1 : undefined);
  }

  #obey(token: string): void {
    const up = /^␛\[(\d+)A$/.exec(token);
    if (up !== null) {
      this.#row -= Number(up[1]);
      // What has left the screen at the top is out of reach.
      assert.ok(this.#row >= Math.max(0, this.lines.length - this.rows));
    } else if (token === '␛[J') {
      this.lines.splice(this.#row, Number.POSITIVE_INFINITY, '');
    } else if (token === '\n') {
      this.#row += 1;
      if (this.#row === this.lines.length) this.lines.push('');
    } else if (/^␛\[(1|22|31|39)m$/.test(token)) {
      this.styled = true;
    } else if (!/^␛\[\?7[hl]$/.test(token)) {
      assert.doesNotMatch(token, /\p{Cc}/u);
      this.lines[this.#row] += token;
    }
  }
}

/** A log on a screen, with a clock for the progress. */
function setUp(environment: Record<string, string> = { NO_COLOR: '1', LANG: 'C' }, verbose = false) {
  const screen = new Screen();
  const time = { now: 0 };
  const log = createLog({ sinks: [terminalSink(screen, { environment })], clock: () => time.now, verbose });
  return { screen, time, log };
}

test('terminalSink draws a tree with bars, puts lines above it, and takes it down', (context) => {
  const { screen, time, log } = setUp();
  context.after(() => log.close());
  log.scope('import web', () => {
    log(1, 'reading %s', 'a.img');
    const progress = log.progress({ label: 'importing', totalBytes: 4096 });
    time.now += 1000;
    log.fail('sector 7 is bad');
    assert.deepEqual(screen.shown(), [
      'import web',
      '  reading a.img',
      '  error: sector 7 is bad',
      'import web',
      '  importing  ------------------------------    0 %  0 B of 4 KiB  0 B/s',
    ]);
    progress.advance(1024);
    log.fail('sector 8 is bad');
    assert.match(screen.shown().at(-1)!, /^ {2}importing {2}#+-+ {3}25 % {2}1 KiB of 4 KiB {2}1 KiB\/s {2}3 s left$/);
    progress.done();
  });
  assert.deepEqual(screen.shown(), [
    'import web',
    '  reading a.img',
    '  error: sector 7 is bad',
    '  error: sector 8 is bad',
  ]);
});

test('terminalSink redraws now and then, not at every step', (context) => {
  const { screen, time, log } = setUp();
  context.after(() => log.close());
  using progress = log.progress({ label: 'importing', totalBytes: 1e9 });
  time.now += 1000;
  const start = performance.now();
  for (let step = 0; step < 100_000; step += 1) progress.advance(1);
  const most = 2 + (performance.now() - start) / 100;
  assert.ok(screen.writes <= most, `${screen.writes} writes, ${most} allowed`);
});

test('terminalSink shows nothing of work that is over at once', () => {
  const { screen, time, log } = setUp();
  for (let index = 0; index < 5; index += 1) {
    using progress = log.progress({ label: 'importing' });
    time.now += 10;
    progress.advance(1);
  }
  assert.equal(screen.writes, 0);
});

test('terminalSink draws no more than the screen holds', (context) => {
  const { screen, time, log } = setUp();
  context.after(() => log.close());
  const running = Array.from({ length: 30 }, (_, index) => log.progress({ label: `disk ${index}` }));
  time.now += 1000;
  for (let step = 0; step < 20; step += 1) log.fail('line %d', step);
  assert.equal(screen.shown().at(-1), '(22 more)');
  for (const progress of running) progress.done();
  assert.deepEqual(
    screen.shown(),
    Array.from({ length: 20 }, (_, step) => `error: line ${step}`),
  );
});

test('terminalSink draws nothing after close, and still prints lines', () => {
  const { screen, time, log } = setUp();
  const progress = log.progress({ label: 'importing' });
  time.now += 1000;
  log.fail('first');
  assert.equal(screen.shown().length, 2);
  log.close();
  progress.advance(1);
  log.fail('second');
  assert.deepEqual(screen.shown(), ['error: first', 'error: second']);
});

test('terminalSink uses colour and finer bars where it may', (context) => {
  const plain = setUp();
  plain.log.fail('x');
  assert.equal(plain.screen.styled, false);
  const { screen, time, log } = setUp({ LANG: 'de_DE.UTF-8' });
  context.after(() => log.close());
  log.progress({ label: 'importing', totalBytes: 2 });
  time.now += 1000;
  log.fail('x');
  assert.equal(screen.styled, true);
  assert.match(screen.shown().at(-1)!, /importing {2}╌+/);
});

test('terminalSink indents what verbose streams, and escapes names', () => {
  const { screen, log } = setUp(undefined, true);
  log.scope('import \x1b[2J', () => log(1, 'reading %s', '\x1b[31mred\x07'));
  assert.deepEqual(screen.shown(), ['import \\x1b[2J', '  reading \\x1b[31mred\\x07']);
});

test('terminalSink refuses a stream that is no terminal', () => {
  assert.throws(() => terminalSink({ write: () => true, isTTY: false }), TypeError);
});
