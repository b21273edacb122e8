import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isLinux } from './libc.ts';
import { lockDisk } from './lock-disk.ts';

/** Opens the same new file `count` times; closing is by a function, once. */
function openOften(t: TestContext, count: number): { fds: [number, number, number]; close: (fd: number) => void } {
  const directory = mkdtempSync(join(tmpdir(), 'varve-'));
  const open = new Set(Array.from({ length: count }, () => openSync(join(directory, 'disk'), 'a+')));
  const fds = [...open] as [number, number, number];
  const close = (fd: number) => {
    if (open.delete(fd)) closeSync(fd);
  };
  t.after(() => {
    for (const fd of fds) close(fd);
    rmSync(directory, { recursive: true });
  });
  return { fds, close };
}

const skip = isLinux ? false : 'there are no such locks on this system';

test('many may read a disk at the same time, and nobody may write it meanwhile', { skip }, (t) => {
  const {
    fds: [first, second, third],
    close,
  } = openOften(t, 3);
  assert.equal(lockDisk(first, 'read'), undefined);
  assert.equal(lockDisk(second, 'read'), undefined);
  assert.equal(lockDisk(third, 'write'), 'others read');
  close(first);
  assert.equal(lockDisk(third, 'write'), 'others read');
  close(second);
  assert.equal(lockDisk(third, 'write'), undefined);
});

test('who writes a disk is alone with it, and a refusal leaves no lock behind', { skip }, (t) => {
  const {
    fds: [first, second, third],
    close,
  } = openOften(t, 3);
  assert.equal(lockDisk(first, 'write'), undefined);
  assert.equal(lockDisk(second, 'read'), 'others write');
  assert.equal(lockDisk(second, 'write'), 'others write');
  close(first);
  assert.equal(lockDisk(third, 'write'), undefined);
});
