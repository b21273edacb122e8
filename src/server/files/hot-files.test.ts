import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileSource, FoundFile, ServedFile } from './file-source.ts';
import { hotFiles } from './hot-files.ts';
import { isMemoryFile } from './memory-file.ts';

interface CountingSource extends FileSource {
  version: string;
  reads: number;
  openCount: number;
}

function counting(size: number): CountingSource {
  const source: CountingSource = {
    version: '1',
    reads: 0,
    openCount: 0,
    open(name) {
      if (name === 'gone') return 'gone';
      source.openCount += 1;
      return {
        size,
        version: source.version,
        mediaType: 'text/x-test',
        modifiedMs: 5,
        read: async (target) => {
          source.reads += 1;
          target.fill(Number(source.version));
        },
        [Symbol.asyncDispose]: async () => {
          source.openCount -= 1;
        },
      };
    },
  };
  return source;
}

function served(file: FoundFile): ServedFile {
  assert.ok(typeof file === 'object');
  return file;
}

test('a file is read once, for all who ask for it meanwhile and later, until its version changes', async () => {
  const source = counting(1000);
  const hot = hotFiles(source);
  const files = await Promise.all(Array.from({ length: 5 }, async () => served(await hot.open('a'))));
  files.push(served(await hot.open('a')));
  assert.equal(source.reads, 1);
  for (const file of files) {
    assert.ok(isMemoryFile(file));
    assert.deepEqual([file.mediaType, file.modifiedMs, file.content[0]], ['text/x-test', 5, 1]);
  }
  source.version = '2';
  const changed = served(await hot.open('a'));
  assert.ok(isMemoryFile(changed) && changed.content[0] === 2);
  assert.equal(source.openCount, 0, 'what is in memory is closed');
});

test('what would be more in memory than twice the capacity is served from where it is', async () => {
  const source = counting(1000);
  const hot = hotFiles(source, { capacity: 2600 });
  const first = [served(await hot.open('a')), served(await hot.open('b'))];
  const third = served(await hot.open('c'));
  assert.ok(first.every(isMemoryFile));
  assert.ok(!isMemoryFile(third));
  assert.equal(source.openCount, 1);
  for (const file of [...first, ...first]) await file[Symbol.asyncDispose]();
  assert.ok(isMemoryFile(served(await hot.open('c'))), 'there is room again');
});

test('what is gone is gone', async () => {
  assert.equal(await hotFiles(counting(1)).open('gone'), 'gone');
});
