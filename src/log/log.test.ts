import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { VarveError } from '../base/varve-error.ts';
import { configureLog, createLog, log as defaultLog, type Log } from './log.ts';
import { memorySink } from './memory-sink.ts';

/** The measuring loop: `shouldFail` says where setting a pulse fails. */
function measure(
  log: Log,
  ranges: { passes: Iterable<number>; voltages: Iterable<number>; pulses: Iterable<number> },
  shouldFail: (pass: number, voltage: number, pulse: number) => boolean,
  afterEach: () => void = () => {},
): void {
  for (const pass of ranges.passes) {
    log(1, 'pass %d', pass);
    for (const voltage of ranges.voltages) {
      log(2, 'voltage %d', voltage);
      for (const pulse of ranges.pulses) {
        log(3, 'pulse %d', pulse);
        log(3, 'performing test');
        log(3, 'setting pulse');
        afterEach();
        if (shouldFail(pass, voltage, pulse)) log.error(new Error('setting pulse failed'));
      }
    }
  }
}

const firstFailure = [
  'pass 997',
  'voltage 123',
  'pulse 0',
  'performing test',
  'setting pulse',
  'error: setting pulse failed',
];

test('log: a loop that fails at (997, 123, 0) prints the six lines that tell where, and never holds more than five', () => {
  const sink = memorySink();
  const log = createLog({ sinks: [sink] });
  let held = 0;
  const ranges = {
    passes: [0, 1, 2, 996, 997, 998, 999],
    voltages: Array(1000).keys().toArray(),
    pulses: [0, 1, 2, 999],
  };
  measure(
    log,
    ranges,
    (pass, voltage, pulse) => pass === 997 && voltage === 123 && pulse === 0,
    () => {
      held = Math.max(held, log.path().length);
    },
  );
  assert.deepEqual(sink.texts(), firstFailure);
  assert.equal(held, 5);
});

test('log: later failures print only what differs', () => {
  const sink = memorySink();
  const log = createLog({ sinks: [sink] });
  const failing = new Set(['997 123 0', '997 123 2', '997 124 0', '998 0 0']);
  const ranges = { passes: [996, 997, 998], voltages: [0, 1, 123, 124], pulses: [0, 1, 2] };
  measure(log, ranges, (...at) => failing.has(at.join(' ')));
  assert.deepEqual(sink.texts(), [
    ...firstFailure,
    ...['pulse 2', 'performing test', 'setting pulse', 'error: setting pulse failed'],
    ...['voltage 124', 'pulse 0', 'performing test', 'setting pulse', 'error: setting pulse failed'],
    ...['pass 998', 'voltage 0', 'pulse 0', 'performing test', 'setting pulse', 'error: setting pulse failed'],
  ]);
});

test('log.fail prints the path and what failed; at the same place again, only that', () => {
  const sink = memorySink();
  const log = createLog({ sinks: [sink] });
  log(1, 'reading %s', 'a.img');
  log.fail('sector %d is bad', 7);
  log.fail('sector %d is bad', 8);
  assert.deepEqual(sink.texts(), ['reading a.img', 'error: sector 7 is bad', 'error: sector 8 is bad']);
});

test('log formats only what it prints', () => {
  const log = createLog();
  let formatted = 0;
  const value = {
    toString() {
      formatted += 1;
      return 'value';
    },
  };
  for (let index = 0; index < 10; index += 1) log(1, 'step %s', value);
  assert.equal(formatted, 0);
  assert.deepEqual(log.path(), ['step value']);
  assert.equal(formatted, 1);
});

test('log takes %s, %d, %j, a bare per cent, and values that cannot be printed', () => {
  const log = createLog();
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  log(1, '%s has %d chunks in %j', 'web', 3, { a: 1 });
  log(1, '100% done');
  log(1, '%j', 1n);
  log(1, '%j', circular);
  const [first, second, third, fourth] = log.path();
  assert.equal(first, 'web has 3 chunks in {"a":1}');
  assert.equal(second, '100% done');
  assert.match(third!, /^%j \(its values cannot be printed: /);
  assert.match(fourth!, /Circular/);
});

test('log.scope nests through async calls, and its name is never taken for a template', async () => {
  const log = createLog();
  const path = await log.scope('import %s', async () => {
    await setImmediate();
    log(1, 'reading %s', 'a.img');
    return log.scope('hash', async () => {
      await setImmediate();
      log(1, 'chunk %d', 5);
      return log.path();
    });
  });
  assert.deepEqual(path, ['import %s', 'reading a.img', 'hash', 'chunk 5']);
  assert.deepEqual(log.path(), []);
});

test('log.scope returns and throws what its function does, at once where that is at once', () => {
  const log = createLog();
  assert.equal(
    log.scope('sum', () => 3),
    3,
  );
  const error = new Error('inside');
  assert.throws(
    () =>
      log.scope('sum', () => {
        throw error;
      }),
    (thrown) => thrown === error,
  );
  assert.deepEqual(log.pathOf(error), ['sum']);
  assert.deepEqual(log.path(), []);
});

test('log.scope gives a log that belongs to the scope wherever it is called', async () => {
  const log = createLog();
  const { promise, resolve } = Promise.withResolvers<Log>();
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const running = log.scope('serve', async (scope) => {
    resolve(scope);
    await over;
  });
  const scope = await promise;
  scope(1, 'request %d', 1);
  assert.deepEqual(scope.path(), ['serve', 'request 1']);
  assert.deepEqual(
    scope.scope('read', () => log.path()),
    ['serve', 'request 1', 'read'],
  );
  assert.deepEqual(log.path(), []);
  end();
  await running;
});

test('log: parallel branches are never mixed, and each keeps the path it started on', async () => {
  const log = createLog();
  log(1, 'all images');
  const branch = (name: string) =>
    log.scope(name, async () => {
      for (let index = 0; index < 20; index += 1) {
        log(1, 'chunk %d', index);
        await setImmediate();
        log(2, 'hashing');
        await setImmediate();
        assert.deepEqual(log.path(), ['all images', name, `chunk ${index}`, 'hashing']);
      }
    });
  const running = ['web', 'db', 'mail'].map(branch);
  log(1, 'something else');
  await Promise.all(running);
  assert.deepEqual(log.path(), ['something else']);
});

test('log: failures in parallel branches print each under its own scope', async () => {
  const sink = memorySink();
  const log = createLog({ sinks: [sink] });
  log(1, 'all images');
  await Promise.all(
    ['web', 'db'].map((name) =>
      log.scope(name, async () => {
        log(1, 'opened');
        for (const chunk of [1, 2]) {
          log(2, 'chunk %d', chunk);
          await setImmediate();
          log.fail('bad checksum');
        }
      }),
    ),
  );
  assert.deepEqual(sink.texts(), [
    ...['all images', 'web', 'opened', 'chunk 1', 'error: bad checksum'],
    ...['db', 'opened', 'chunk 1', 'error: bad checksum'],
    ...['web', 'opened', 'chunk 2', 'error: bad checksum'],
    ...['db', 'opened', 'chunk 2', 'error: bad checksum'],
  ]);
});

test('log: output that turns to another branch and back repeats what stands above, and no finished step', async () => {
  const sink = memorySink();
  const log = createLog({ sinks: [sink] });
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const first = log.scope('web', async () => {
    log(1, 'opened');
    log(1, 'checked');
    log.fail('slow');
    await over;
    log(1, 'copying');
    log.fail('bad checksum');
  });
  log.scope('db', () => log.fail('missing'));
  end();
  await first;
  assert.deepEqual(sink.texts(), [
    ...['web', 'opened', 'checked', 'error: slow'],
    ...['db', 'error: missing'],
    ...['web', 'copying', 'error: bad checksum'],
  ]);
});

test('log.error prints the path on which the error was thrown, after its scopes are left', async () => {
  const sink = memorySink();
  const log = createLog({ sinks: [sink] });
  log(1, 'nightly');
  const failing = log.scope('import web', async () => {
    log(1, 'reading %s', 'a.img');
    await log.scope('store', async () => {
      await setImmediate();
      log(1, 'chunk %d', 3);
      throw new VarveError('NO_SPACE', 'the disk is full');
    });
  });
  await assert.rejects(failing, (error) => {
    assert.deepEqual(log.pathOf(error), ['nightly', 'import web', 'reading a.img', 'store', 'chunk 3']);
    log.error(error);
    log.error(error);
    return true;
  });
  assert.deepEqual(sink.texts(), [
    'nightly',
    'import web',
    'reading a.img',
    'store',
    'chunk 3',
    'error: the disk is full',
  ]);
  assert.deepEqual(
    sink.lines.map((line) => line.depth),
    [0, 1, 2, 3, 4, 4],
  );
  assert.deepEqual(sink.lines.at(-1)!.path, ['nightly', 'import web', 'reading a.img', 'store', 'chunk 3']);
});

test('log: an error that wraps another has the path of the one inside', async () => {
  const log = createLog();
  let wrapper: unknown;
  try {
    await log.scope('import', async () => {
      try {
        await log.scope('read', async () => {
          log(1, 'sector %d', 9);
          throw new Error('EIO');
        });
      } catch (cause) {
        throw new VarveError('IO', 'cannot import web', { cause });
      }
    });
  } catch (error) {
    wrapper = error;
  }
  assert.deepEqual(log.pathOf(wrapper), ['import', 'read', 'sector 9']);
});

test('log.pathOf knows nothing of errors that crossed no scope, of causes in a circle, and of what is no object', () => {
  const log = createLog();
  const circle = new Error('circle');
  circle.cause = circle;
  for (const error of [new Error('x'), circle, 'text', 7, null, undefined]) assert.deepEqual(log.pathOf(error), []);
  assert.throws(
    () =>
      log.scope('s', () => {
        throw 'text';
      }),
    (error) => error === 'text',
  );
});

test('log.error prints anything that can be thrown', () => {
  const sink = memorySink();
  const log = createLog({ sinks: [sink] });
  const unprintable = {
    toString: () => {
      throw new Error('no');
    },
  };
  for (const thrown of ['text', 7, null, undefined, new TypeError(), Object.create(null), unprintable])
    log.error(thrown);
  assert.deepEqual(sink.texts().slice(0, 5), [
    'error: text',
    'error: 7',
    'error: null',
    'error: undefined',
    'error: TypeError',
  ]);
  assert.equal(sink.lines.length, 7);
});

test('log: verbose streams every message when it comes, under the right scope', async () => {
  const sink = memorySink();
  const log = createLog({ sinks: [sink], verbose: true });
  log(1, 'pass %d', 1);
  log(2, 'voltage %d', 1);
  log(2, 'voltage %d', 2);
  log(1, 'pass %d', 2);
  await Promise.all(
    ['web', 'db'].map((name) =>
      log.scope(name, async () => {
        for (const chunk of [1, 2]) {
          log(1, 'chunk %d', chunk);
          await setImmediate();
        }
      }),
    ),
  );
  assert.deepEqual(sink.texts(), [
    ...['pass 1', 'voltage 1', 'voltage 2', 'pass 2'],
    ...['web', 'chunk 1', 'db', 'chunk 1', 'web', 'chunk 2', 'db', 'chunk 2'],
  ]);
});

test('log: verbose shows where in the code an error comes from', () => {
  const sink = memorySink();
  createLog({ sinks: [sink], verbose: true }).error(new Error('broken'));
  assert.match(sink.lines[0]!.stack!, /log\.test\.ts/);
});

test('log.flush prints what every open scope was doing', async () => {
  const sink = memorySink();
  const log = createLog({ sinks: [sink] });
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const running = log.scope('import', async () => {
    log(1, 'reading %s', 'a.img');
    await Promise.all(
      ['hash', 'compress'].map((name) =>
        log.scope(name, async () => {
          log(1, 'chunk %d', 4);
          await over;
        }),
      ),
    );
  });
  await log.scope('finished', async () => log(1, 'forgotten'));
  log.flush(new VarveError('ABORTED', 'stopped by SIGTERM'));
  assert.deepEqual(sink.texts(), [
    ...['import', 'reading a.img', 'hash', 'chunk 4', 'compress', 'chunk 4'],
    'error: stopped by SIGTERM',
  ]);
  end();
  await running;
});

test('log: what is logged in Varve is silent until configureLog, and silent again after', () => {
  const sink = memorySink();
  defaultLog(1, 'kept');
  configureLog({ sinks: [sink] });
  defaultLog.fail('first');
  configureLog({});
  defaultLog.fail('second');
  assert.deepEqual(sink.texts(), ['kept', 'error: first']);
});
