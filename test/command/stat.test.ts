import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, test } from 'node:test';
import { skipWithout } from '../interop/require-tool.ts';
import { sampleDisk } from './sample-disk.ts';

const skip = skipWithout('mke2fs', 'setfattr', 'setfacl');

describe('varve stat and varve tree', { skip }, () => {
  test('the extents of a file are where its bytes are on the disk', async (t) => {
    const { disk, place, tree } = await sampleDisk(t);
    const [{ extents, size }] = await place.json('stat', '--extents', './disk.raw:/with holes');
    const [bytes, content] = [fs.readFileSync(disk), fs.readFileSync(`${tree}/with holes`)];
    assert.equal(size, content.length);
    let end = 0;
    for (const { kind, length, offset, place: at } of extents) {
      assert.equal(offset, end);
      end += length;
      const wanted = content.subarray(offset, end);
      if (kind === 'data') assert.ok(bytes.subarray(at, at + length).equals(wanted), String(offset));
      else
        assert.ok(
          wanted.every((byte) => byte === 0),
          String(offset),
        );
    }
    assert.equal(end, size);
    assert.ok(extents.filter(({ kind }: { kind: string }) => kind === 'data').length >= 5);
    assert.match(
      await place.varve('stat', '--extents', './disk.raw:/only a hole'),
      /OFFSET .*\n +0 +5000000 +hole +-$/,
    );
  });

  test('all that a disk says of a file is told, with its attributes', async (t) => {
    const { place } = await sampleDisk(t);
    const text = await place.varve('stat', './disk.raw:/one', './disk.raw:/link', './disk.raw:/file of 4096 bytes');
    assert.match(text, /^file: +\/one$/m);
    assert.match(text, /^mode: +4751 \(-rwsr-x--x\)$/m);
    assert.match(text, /^attribute: +user\.short = "value"$/m);
    assert.match(text, /^attribute: +user\.empty = ""$/m);
    assert.match(text, /^file: +\/link -> one$/m);
    assert.match(
      text,
      /^attribute: +system\.posix_acl_access = user::rw-,user:1000:rw-,group::r--,group:50:r--,mask::rw-,other::r--$/m,
    );
    assert.match(text, /^on: +\/dev\/sda \(ext4\)$/m);
    const [{ attributes, kind, volume }] = await place.json('stat', './disk.raw:/etc');
    assert.deepEqual([kind, volume, attributes['user.of a directory']], ['directory', '/dev/sda', 'AP8A']);
    const [{ path }] = await place.json('stat', '-L', './disk.raw:/link');
    assert.equal(path, '/one');
    assert.match(await place.fails(2, 'stat', './disk.raw'), /which file of/);
  });

  test('a tree is drawn, down to a level, with directories only, or for programs', async (t) => {
    const { place } = await sampleDisk(t);
    const drawn = await place.varve('tree', './disk.raw:/etc');
    const lines = [
      ...['/etc', '├── deep', '│   └── deeper', '│       └── deepest', '│           └── Größe — 大きさ.txt'],
      ...['├── os-release', '└── second name', '', '3 directories, 3 files'],
    ];
    assert.equal(drawn, lines.join('\n'));
    assert.equal(
      await place.varve('tree', '-d', '-L', '1', './disk.raw:/etc'),
      '/etc\n└── deep\n\n1 directory, 0 files',
    );
    assert.match(await place.varve('tree', '-s', './disk.raw'), /^├── \[4\.0 KiB\] {2}file of 4097 bytes$/m);
    assert.match(await place.varve('tree', './disk.raw'), /^├── link -> one$/m);
    const root = await place.json('tree', './disk.raw:/etc');
    assert.deepEqual(
      [root.name, root.children.map(({ name }: { name: string }) => name)],
      ['/etc', ['deep', 'os-release', 'second name']],
    );
    assert.equal(root.children[0].children[0].children[0].children[0].name, 'Größe — 大きさ.txt');
  });
});
