import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRange } from './range.ts';

test('parseRange reads offset and length, from and to, and all', () => {
  assert.deepEqual(parseRange('1M+4K'), { offset: 1048576, length: 4096 });
  assert.deepEqual(parseRange('0-10M'), { offset: 0, length: 10485760 });
  assert.deepEqual(parseRange('512-1024'), { offset: 512, length: 512 });
  assert.deepEqual(parseRange('1.5 GiB + 1'), { offset: 1610612736, length: 1 });
  assert.equal(parseRange('all'), undefined);
});

for (const text of ['', '1M', '+4K', '4K+', '2M-1M', '1M-1M', '0+0', '1-2-3', 'everything', '-1+4', '9P+9000P']) {
  test(`parseRange refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseRange(text), { code: 'INVALID' });
  });
}
