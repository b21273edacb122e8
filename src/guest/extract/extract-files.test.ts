import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { VarveError } from '../../base/varve-error.ts';
import type { FileKind, FileSystem } from '../../filesystem/file-system.ts';
import { GuestTree } from '../guest-tree.ts';
import { FileExtractor } from './extract-files.ts';
import { TargetDirectory } from './target-directory.ts';

const skip = process.platform === 'linux' ? false : 'this is no Linux';

interface StrangeFile {
  readonly kind: FileKind;
  readonly names?: readonly (readonly [name: string, node: number])[];
  readonly target?: string;
}

/** A file system that says whatever it likes; node 0 is the root. Its files hold `x`. */
function strangeFileSystem(files: readonly StrangeFile[]): FileSystem {
  return {
    ...{ identity: { type: 'strange', blockSize: 1, size: 1 }, root: 0, isClean: true },
    stat: async (node) => ({
      ...{ inode: node, kind: files[node]!.kind, mode: 0o755, links: 1, uid: 0, gid: 0, size: 1, allocated: 1 },
    }),
    lookup: async (node, name) => files[node]!.names?.find(([each]) => each === Buffer.from(name).toString())?.[1],
    async *readDirectory(node) {
      for (const [name, inner] of files[node]!.names ?? []) yield { name: Buffer.from(name), node: inner };
    },
    async read(_node, target) {
      target[0] = 0x78;
      return 1;
    },
    readLink: async (node) => Buffer.from(files[node]!.target!),
    extendedAttributes: async () => new Map(),
    async *extents() {
      yield { offset: 0, length: 1, kind: 'data' };
    },
    usage: async () => ({ size: 1, free: 0 }),
    async *freeRanges() {},
    async [Symbol.asyncDispose]() {},
  };
}

function scratch(t: TestContext): string {
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function extract(target: string, files: readonly StrangeFile[]): Promise<VarveError[]> {
  const tree = new GuestTree(new Map([['/', strangeFileSystem(files)]]), 'strange');
  const problems: VarveError[] = [];
  using directory = TargetDirectory.open(target);
  const extractor = new FileExtractor(tree, directory, { force: true, onProblem: (error) => problems.push(error) });
  await extractor.copy(await tree.resolve('/'));
  return problems;
}

test('names that lead elsewhere are refused, and the rest is copied', { skip }, async (t) => {
  const directory = scratch(t);
  fs.mkdirSync(join(directory, 'target'));
  const problems = await extract(join(directory, 'target'), [
    {
      kind: 'directory',
      names: [
        ['..', 1],
        ['.', 1],
        ['', 1],
        ['../up', 1],
        ['good', 1],
        ['zero\0byte', 1],
      ],
    },
    { kind: 'file' },
  ]);
  assert.deepEqual(fs.readdirSync(directory), ['target']);
  assert.deepEqual(fs.readdirSync(join(directory, 'target')).sort(), ['good', 'up']);
  assert.deepEqual(
    problems.map(({ code }) => code),
    // An empty name is also taken for the root, which was there already.
    ['CORRUPT', 'CORRUPT', 'CORRUPT', 'CORRUPT', 'CORRUPT'],
  );
});

test('a directory inside itself has an end', { skip }, async (t) => {
  const directory = scratch(t);
  const problems = await extract(directory, [
    {
      kind: 'directory',
      names: [
        ['again', 0],
        ['down', 1],
      ],
    },
    {
      kind: 'directory',
      names: [
        ['up', 0],
        ['self', 1],
      ],
    },
  ]);
  assert.equal(problems.length, 3);
  assert.ok(problems.every(({ code }) => code === 'CORRUPT'));
});

test('symlinks that are there are not followed, and replaced only by files', { skip }, async (t) => {
  const directory = scratch(t);
  const at = (...names: string[]) => join(directory, ...names);
  fs.mkdirSync(at('target'));
  fs.mkdirSync(at('outside'));
  fs.writeFileSync(at('precious'), 'precious');
  fs.symlinkSync(at('outside'), at('target/dir'));
  fs.symlinkSync(at('precious'), at('target/file'));
  const problems = await extract(at('target'), [
    {
      kind: 'directory',
      names: [
        ['dir', 1],
        ['file', 2],
      ],
    },
    { kind: 'directory', names: [['inner', 2]] },
    { kind: 'file' },
  ]);
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['EXISTS'],
  );
  assert.deepEqual(fs.readdirSync(at('outside')), []);
  assert.equal(fs.readFileSync(at('precious'), 'utf8'), 'precious');
  assert.ok(fs.lstatSync(at('target/file')).isFile());
});

test('a directory that is replaced by a symlink meanwhile is filled where it was', { skip }, (t) => {
  const directory = scratch(t);
  const at = (...names: string[]) => join(directory, ...names);
  fs.mkdirSync(at('outside'));
  using target = TargetDirectory.open(directory);
  const name = Buffer.from('inner');
  assert.ok(target.make(name));
  using inner = target.enter(name);
  fs.renameSync(at('inner'), at('moved'));
  fs.symlinkSync(at('outside'), at('inner'));
  assert.ok(inner.make(Buffer.from('made')));
  assert.deepEqual([fs.readdirSync(at('outside')), fs.readdirSync(at('moved'))], [[], ['made']]);
  assert.throws(() => target.enter(name), { code: 'EXISTS' });
});
