import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { exitStatuses, exitStatusOf, internalErrorStatus } from './exit-status.ts';
import { isVarveError, systemError, VarveError } from './varve-error.ts';

test('isVarveError tells codes apart', () => {
  const error = new VarveError('BUSY', 'held');
  assert.equal(isVarveError(error), true);
  assert.equal(isVarveError(error, 'IO', 'BUSY'), true);
  assert.equal(isVarveError(error, 'IO'), false);
  assert.equal(isVarveError(new Error('held')), false);
});

test('systemError names what was tried and why it failed, and keeps the cause', () => {
  let cause: unknown;
  try {
    readFileSync('/nonexistent/varve');
  } catch (error) {
    cause = error;
  }
  const error = systemError('open web', cause);
  assert.ok(isVarveError(error, 'NOT_FOUND'));
  assert.equal(error.message, 'cannot open web: no such file or directory');
  assert.equal(error.cause, cause);
});

test('systemError calls an errno it has no words for IO, and names it', () => {
  const error = systemError('read disk', Object.assign(new Error('x'), { code: 'EREMOTEIO' }));
  assert.ok(isVarveError(error, 'IO'));
  assert.match(error.message, /cannot read disk: EREMOTEIO/);
});

test('systemError knows the failures that Node gives no code', () => {
  const nameless = Object.assign(new Error(', Unknown error: Input/output error'), { code: '', syscall: 'rm' });
  assert.ok(isVarveError(systemError('delete overlays', nameless), 'IO'));
});

test('systemError leaves alone what is no system error', () => {
  const varveError = new VarveError('CORRUPT', 'bad magic');
  const nodeError = Object.assign(new TypeError('x'), { code: 'ERR_INVALID_ARG_TYPE' });
  for (const other of [varveError, nodeError, new Error('bug'), 'text', undefined]) {
    assert.equal(systemError('read disk', other), other);
  }
});

test('exitStatusOf gives each code its own status, clear of 0, 1 and the status for bugs', () => {
  const statuses = Object.values(exitStatuses);
  assert.equal(new Set([0, 1, internalErrorStatus, ...statuses]).size, statuses.length + 3);
  assert.equal(exitStatusOf(new VarveError('NOT_FOUND', 'no image web')), exitStatuses.NOT_FOUND);
  assert.equal(exitStatusOf(new TypeError('bug')), internalErrorStatus);
});
