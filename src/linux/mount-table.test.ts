import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mountTable, parseMountTable } from './mount-table.ts';

test('parseMountTable reads names with spaces, optional fields and bind mounts, and passes by what is no line', () => {
  const text = [
    '36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue',
    '37 35 0:45 / /proc rw - proc proc rw',
    'nonsense',
    '',
  ].join('\n');
  assert.deepEqual(parseMountTable(text), [
    { target: '/mnt 2', device: '98:0', root: '/mnt1', type: 'ext3', source: '/dev/root' },
    { target: '/proc', device: '0:45', root: '/', type: 'proc', source: 'proc' },
  ]);
});

test('mountTable finds /proc', { skip: process.platform !== 'linux' && 'there is no /proc' }, () => {
  assert.ok(mountTable().some(({ target, type }) => target === '/proc' && type === 'proc'));
});
