import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireSource, sourceName } from './source-name.ts';

test('an image is named after its file, without what says that it is a disk', () => {
  const cases: [path: string, name: string][] = [
    ['./disk.qcow2', 'disk'],
    ['/srv/images/debian-12.5.qcow2', 'debian-12.5'],
    ['web.qcow2.IMG', 'web'],
    ['/dev/sdb', 'sdb'],
    ['web.tar', 'web.tar'],
    ['/srv/Bu\u0308ro.raw', 'B\u00fcro'],
  ];
  for (const [path, name] of cases) assert.equal(sourceName(path), name);
});

test('a file whose name can name no image asks for one', () => {
  for (const path of [
    '.raw',
    '/srv/my disk.raw',
    'a..b.img',
    '-x.raw',
    `${'x'.repeat(129)}.raw`,
    '/',
    '\u202eweb.raw',
  ]) {
    assert.throws(() => sourceName(path), { code: 'INVALID', message: /cannot make a name .* give one after it/ });
  }
});

test('what stands last in an address names an image', () => {
  assert.equal(sourceName('https://me:secret@host/images/debian-12.qcow2.xz?x=1'), 'debian-12');
  assert.equal(sourceName('nbd://host/web'), 'web');
});

test('what is not there, not to be read, or no address that can be, is told before anything begins', async () => {
  await assert.rejects(requireSource('/nonexistent/disk.raw'), {
    code: 'NOT_FOUND',
    message: /import .*disk\.raw: no such/,
  });
  await assert.rejects(requireSource('s3://host/web'), { code: 'UNSUPPORTED' });
  await requireSource('nbd://host/web');
  await requireSource('/dev/null');
});
