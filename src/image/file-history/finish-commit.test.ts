import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isVarveError } from '../../base/varve-error.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { contentOf } from '../../conformance/device-content.ts';
import { fileTarget } from '../../format/file-target.ts';
import { writeQcow2 } from '../../format/qcow2/write-qcow2.ts';
import { openFileDisk } from '../file-disk.ts';
import { FileTransaction } from '../transaction/file-transaction.ts';
import { stampFile } from './base-stamp.ts';
import { CommitMarker } from './commit-marker.ts';
import { OverlayCommit } from './commit-overlay.ts';
import { type ChangedFiles, finishCommit } from './finish-commit.ts';
import { markerPath } from './marker-path.ts';

const size = 128 * 1024;
const names = ['a.qcow2', 'b.raw'] as const;

/** A qcow2 file and a raw one, both full of ones. */
async function disks(t: TestContext): Promise<string[]> {
  const directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'varve-')));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const [image, raw] = names.map((name) => join(directory, name)) as [string, string];
  const ones = memoryDevice(size);
  await ones.write(Buffer.alloc(size, 1), 0);
  const file = fs.openSync(image, 'wx+');
  await writeQcow2(ones, fileTarget(file, image), {});
  fs.closeSync(file);
  fs.writeFileSync(raw, Buffer.alloc(size, 1));
  return [image, raw];
}

/** Does to files what a transaction that fills them with twos does, up to a point, and dies. */
async function beginCommit(paths: readonly string[], until: 'planned' | 'staged' | 'decided'): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const files = paths.map((path) => basename(path));
  const markers: CommitMarker[] = [];
  for (const [index, path] of paths.entries()) {
    const transaction = stack.use(await FileTransaction.begin(path, {}));
    await transaction.device.write(Buffer.alloc(size, 2), 0);
    await transaction.device.flush();
    const overlay = join(transaction.directory, basename(path).replace(/\..*/, '.qcow2'));
    fs.cpSync(overlay, `${path}.overlay`);
    await transaction[Symbol.asyncDispose]();
    fs.mkdirSync(transaction.directory);
    fs.renameSync(`${path}.overlay`, overlay);
    stack.defer(() => fs.rmSync(transaction.directory, { recursive: true }));
    const copy = `${basename(path)}.part-1`;
    const plan = { version: 1, id: 'one', bootId: 'this', files, index, copy } as const;
    const marker = stack.use(await CommitMarker.create(path, plan));
    markers.push(marker);
    if (until === 'planned') continue;
    const options = { allowed: [join(path, '..')], delete: true, force: true };
    const commit = stack.use(await OverlayCommit.begin(overlay, options));
    const change = stack.use((await commit.stage(join(path, '..', copy)))!);
    await marker.addStaged({ staged: change.record, stamp: await stampFile(path) });
  }
  if (until === 'decided') await markers[0]!.decide();
}

async function bytesOf(paths: readonly string[]): Promise<(number | undefined)[]> {
  const bytes: (number | undefined)[] = [];
  for (const path of paths) {
    await using disk = await openFileDisk(path);
    bytes.push((await contentOf(disk.device))[size - 1]);
  }
  return bytes;
}

function leftBeside([path]: readonly string[]): string[] {
  return fs.readdirSync(join(path!, '..')).sort();
}

for (const until of ['planned', 'staged', 'decided'] as const) {
  for (const order of ['the first', 'the other']) {
    test(`a commit that was cut off when it was ${until} ends when ${order} file is opened`, async (t) => {
      const paths = await disks(t);
      await beginCommit(paths, until);
      const opened = order === 'the first' ? paths : paths.toReversed();
      assert.deepEqual(await bytesOf(opened), until === 'decided' ? [2, 2] : [1, 1]);
      assert.deepEqual(leftBeside(paths), [...names]);
    });
  }
}

test('a file that others changed is refused, given up or overwritten, as is asked for', async (t) => {
  for (const [changed, expected] of [
    ['left', 9],
    ['overwritten', 2],
  ] as const satisfies [ChangedFiles, number][]) {
    const paths = await disks(t);
    await beginCommit(paths, 'decided');
    fs.writeFileSync(paths[1]!, Buffer.alloc(size, 9));
    await assert.rejects(
      bytesOf([paths[1]!]),
      (error) => isVarveError(error, 'CONFLICT') && /tx recover/.test(error.message),
    );
    assert.equal(await finishCommit(paths[1]!, changed), 'done');
    assert.deepEqual(await bytesOf(paths), [2, expected]);
    assert.deepEqual(leftBeside(paths), [...names]);
  }
});

test('a file that was taken away from the others is refused while nobody can tell what was decided', async (t) => {
  const paths = await disks(t);
  await beginCommit(paths, 'decided');
  fs.rmSync(markerPath(paths[0]!));
  await assert.rejects(bytesOf([paths[1]!]), (error) => isVarveError(error, 'CONFLICT'));
  assert.equal(await finishCommit(paths[1]!, 'left'), 'done');
  assert.deepEqual(await bytesOf([paths[1]!]), [1]);
});

test('a commit that is under way is left alone until it is decided', async (t) => {
  const paths = await disks(t);
  const files = [...names];
  const plan = { version: 1, id: 'one', bootId: 'this', files, index: 0, copy: 'a.qcow2.part-1' } as const;
  await using marker = await CommitMarker.create(paths[0]!, plan);
  assert.equal(await finishCommit(paths[0]!), undefined);
  assert.deepEqual(await bytesOf(paths), [1, 1]);
  await assert.rejects(CommitMarker.create(paths[0]!, plan), (error) => isVarveError(error, 'BUSY'));
  await marker.remove();
});

test('what says nothing of use beside a file is taken for a commit that had hardly begun', async (t) => {
  for (const text of [
    '',
    '{"version":1',
    'null\n',
    '{"version":1,"id":"x","files":["a"],"index":0,"copy":"../x.part-1"}\n',
  ]) {
    const paths = await disks(t);
    fs.writeFileSync(markerPath(paths[0]!), text);
    assert.deepEqual(await bytesOf(paths), [1, 1]);
    assert.deepEqual(leftBeside(paths), [...names]);
  }
});
