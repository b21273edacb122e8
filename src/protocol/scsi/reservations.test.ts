import assert from 'node:assert/strict';
import { test } from 'node:test';
import { operationCodes } from './operation-codes.ts';
import { Reservations } from './reservations.ts';
import { type Sense, senses } from './sense.ts';

const { READ_10, TEST_UNIT_READY, WRITE_10 } = operationCodes;

function list(key: bigint, actionKey: bigint): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, key);
  view.setBigUint64(8, actionKey);
  return bytes;
}

/** Two that are registered, with keys 1 and 2; `a` has reserved with a type. */
function reserved(type: number): { reservations: Reservations; told: [string, Sense][] } {
  const told: [string, Sense][] = [];
  const reservations = new Reservations((nexus, sense) => void told.push([nexus, sense]));
  assert.equal(reservations.change('a', 0, 0, list(0n, 1n)), 'good');
  assert.equal(reservations.change('b', 6, 0, list(9n, 2n)), 'good');
  assert.equal(reservations.change('a', 1, type, list(1n, 0n)), 'good');
  return { reservations, told };
}

test('a reservation keeps from a disk whom its type is meant to', () => {
  const expected: Record<number, [others: boolean, strangers: boolean, strangersReading: boolean]> = {
    1: [true, true, false],
    3: [true, true, true],
    5: [false, true, false],
    6: [false, true, true],
    7: [false, true, false],
    8: [false, true, true],
  };
  for (const [type, [others, strangers, reading]] of Object.entries(expected)) {
    const { reservations } = reserved(Number(type));
    assert.equal(reservations.conflicts('a', WRITE_10, false, true), false, type);
    assert.equal(reservations.conflicts('b', WRITE_10, false, true), others, type);
    assert.equal(reservations.conflicts('c', WRITE_10, false, true), strangers, type);
    assert.equal(reservations.conflicts('c', READ_10, true, false), reading, type);
    assert.equal(reservations.conflicts('c', TEST_UNIT_READY, false, false), false, type);
  }
});

test('a registered initiator takes a reservation over, and the other learns of it', () => {
  const { reservations, told } = reserved(3);
  assert.equal(reservations.change('b', 4, 3, list(2n, 1n)), 'good');
  assert.deepEqual(told, [['a', senses.registrationsPreempted]]);
  assert.equal(reservations.conflicts('a', READ_10, true, false), true);
  assert.equal(reservations.conflicts('b', READ_10, true, false), false);
});

test('a wrong key, type or list changes nothing', () => {
  const { reservations } = reserved(5);
  assert.equal(reservations.change('a', 2, 5, list(7n, 0n)), 'conflict');
  assert.equal(reservations.change('a', 2, 6, list(1n, 0n)), senses.invalidRelease);
  assert.equal(reservations.change('c', 1, 5, list(0n, 0n)), 'conflict');
  assert.equal(reservations.change('a', 1, 5, new Uint8Array(20)), senses.parameterListLength);
  assert.equal(reservations.report(0)?.length, 24);
  assert.equal(reservations.conflicts('c', WRITE_10, false, true), true);
});

test('RESERVE lasts until RELEASE, a reset or the end of the session', () => {
  const reservations = new Reservations(() => undefined);
  for (const free of [
    () => reservations.release('a'),
    () => reservations.reset(),
    () => reservations.releaseSession('a'),
  ]) {
    assert.equal(reservations.reserve('a'), true);
    assert.equal(reservations.reserve('b'), false);
    assert.equal(reservations.conflicts('b', READ_10, true, false), true);
    free();
    assert.equal(reservations.conflicts('b', READ_10, true, false), false);
  }
});
