import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VarveError } from '../../base/varve-error.ts';
import { firstOf, under } from './combined-sources.ts';
import type { FileSource } from './file-source.ts';
import { memoryFile } from './memory-file.ts';

const sized = (sizes: Record<string, number>): FileSource => ({
  open: (name) => (Object.hasOwn(sizes, name) ? memoryFile(new Uint8Array(sizes[name]!)) : undefined),
});

async function sizeOf(source: FileSource, name: string): Promise<number | 'gone' | undefined> {
  const file = await source.open(name);
  return typeof file === 'object' ? file.size : file;
}

test('firstOf asks one source after the other until one knows the name', async () => {
  const source = firstOf([
    sized({ a: 1 }),
    { open: (name) => (name === 'b' ? 'gone' : undefined) },
    sized({ a: 2, b: 2, c: 2 }),
  ]);
  assert.deepEqual(await Promise.all(['a', 'b', 'c', 'd'].map((name) => sizeOf(source, name))), [
    1,
    'gone',
    2,
    undefined,
  ]);
});

test('firstOf does not go on to the next source where one refuses', async () => {
  const refusing: FileSource = {
    open: () => {
      throw new VarveError('PERMISSION', 'no');
    },
  };
  await assert.rejects(async () => firstOf([refusing, sized({ a: 1 })]).open('a'), { code: 'PERMISSION' });
});

test('under takes the prefix off, as a whole part of the path, and knows no other names', async () => {
  const source = under('/loader/', sized({ 'a/b': 3 }));
  const names = ['loader/a/b', '/loader/a/b', '//loader/a/b', 'loaders/a/b', 'a/b', 'loader'];
  assert.deepEqual(await Promise.all(names.map((name) => sizeOf(source, name))), [
    3,
    3,
    3,
    undefined,
    undefined,
    undefined,
  ]);
});
