import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findMachine } from './find-machine.ts';
import { macOf, requireMac } from './mac-address.ts';

const mac = '52-54-00-ab-cd-ef';

test('a MAC is known in every usual spelling, and nothing else is one', () => {
  for (const text of ['52:54:00:AB:CD:EF', '52-54-00-ab-cd-ef', '525400abcdef', '5254.00ab.cdef']) {
    assert.equal(macOf(text), mac, text);
  }
  for (const text of [
    '',
    'alice',
    '52:54:00:ab:cd',
    '52:54:00:ab:cd:ef:01',
    '52:54-00:ab:cd:ef',
    '5254:00ab:cdef',
    `${mac}\n`,
  ]) {
    assert.equal(macOf(text), undefined, text);
  }
  assert.throws(() => requireMac('alice'), { code: 'INVALID', message: /"alice" is no MAC/ });
});

test('a machine is found by its MAC, known or not, and by its name', () => {
  const machines = [
    { mac, name: 'Alice' },
    { mac: '52-54-00-00-00-02', name: 'bob' },
    { mac: '52-54-00-00-00-03', name: 'bob' },
    { mac: '52-54-00-00-00-04', name: undefined },
  ];
  assert.equal(findMachine(machines, 'alice'), mac);
  assert.equal(findMachine([], mac.toUpperCase()), mac);
  assert.throws(() => findMachine(machines, 'carol'), { code: 'NOT_FOUND', message: /carol/ });
  assert.throws(() => findMachine(machines, 'bob'), { code: 'INVALID', message: /2 machines.*00-02.*00-03/ });
});
