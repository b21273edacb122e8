import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { FileSystem } from '../../filesystem/file-system.ts';
import { NodeNumbers } from './node-numbers.ts';

/** Nothing of them is asked. */
const [system, boot, data] = [1, 2, 3].map(() => ({}) as FileSystem) as [FileSystem, FileSystem, FileSystem];
const numbers = new NodeNumbers({
  root: { fileSystem: system, node: 2 },
  mounts: [
    { covered: { fileSystem: system, node: 12 }, root: { fileSystem: boot, node: 0 } },
    { covered: { fileSystem: boot, node: 7 }, root: { fileSystem: data, node: 128 } },
  ],
});

describe('NodeNumbers', () => {
  test('each file has a number of its own that says which one it is; the root has 1', () => {
    assert.equal(numbers.numberOf({ fileSystem: system, node: 2 }), 1);
    assert.deepEqual(numbers.placeOf(1), { fileSystem: system, node: 2 });
    const seen = new Map<number, string>();
    const node = fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 2 ** 51 }));
    fc.assert(
      fc.property(fc.nat({ max: 2 }), node, (index, each) => {
        const place = { fileSystem: [system, boot, data][index]!, node: each };
        const number = numbers.numberOf(place);
        const back = numbers.placeOf(number);
        assert.ok(number >= 1 && Number.isSafeInteger(number));
        assert.ok(back.fileSystem === place.fileSystem && back.node === place.node);
        assert.equal(seen.get(number) ?? `${index} ${each}`, `${index} ${each}`);
        seen.set(number, `${index} ${each}`);
      }),
    );
  });

  test('a directory on which something is mounted shows that', () => {
    assert.equal(numbers.visible({ fileSystem: system, node: 12 }).fileSystem, boot);
    assert.deepEqual(numbers.visible({ fileSystem: boot, node: 7 }), { fileSystem: data, node: 128 });
    assert.deepEqual(numbers.visible({ fileSystem: data, node: 7 }), { fileSystem: data, node: 7 });
  });

  test('inode numbers are those of the file system of the root, and apart from them in others', () => {
    const shown = [system, boot, data].map((fileSystem) => numbers.inodeOf({ fileSystem, node: 2 }, 2));
    assert.equal(shown[0], 2);
    assert.equal(new Set(shown).size, 3);
    const strange = [0, 2 ** 52].map((inode) => numbers.inodeOf({ fileSystem: data, node: 5 }, inode));
    for (const inode of strange) assert.ok(inode > 0 && Number.isSafeInteger(inode));
  });

  test('files of nested subvolumes have inode numbers of their own, though their inodes are called alike', () => {
    const [root, nested] = [2 ** 40 + 256, 2 ** 41 + 257];
    const fileSystem = { root, subvolumes: async function* () {} } as unknown as FileSystem;
    const own = new NodeNumbers({ root: { fileSystem, node: root }, mounts: [] });
    assert.equal(own.inodeOf({ fileSystem, node: root + 1 }, 257), 257);
    assert.notEqual(own.inodeOf({ fileSystem, node: nested }, 257), 257);
  });

  test('a number that the kernel could not give back is refused', () => {
    assert.throws(() => numbers.numberOf({ fileSystem: system, node: 2 ** 52 }), { code: 'UNSUPPORTED' });
  });
});
