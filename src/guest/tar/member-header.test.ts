import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodePaxAttributes, encodePaxAttributes } from '../../format/pax-attributes.ts';
import { decodeTarHeader, isTarHeader, splitTarName } from '../../format/tar-header.ts';
import { memberHeader, type TarMember } from './member-header.ts';

const stat = { inode: 5, kind: 'file', mode: 0o644, links: 1, uid: 1000, gid: 50, size: 3, allocated: 4096 } as const;
const member: TarMember = {
  ...{ name: Buffer.from('./etc/fstab'), attributes: new Map(), storedLength: 3, isSparse: false },
  stat: { ...stat, modified: { seconds: 1_700_000_000, nanoseconds: 0 } },
};

/** A member's attributes and its header. */
function taken(bytes: Uint8Array): { attributes: Map<string, string>; header: ReturnType<typeof decodeTarHeader> } {
  assert.equal(bytes.length % 512, 0);
  const header = decodeTarHeader(bytes.subarray(-512), 'test');
  if (bytes.length === 512) return { attributes: new Map(), header };
  const { size, typeflag } = decodeTarHeader(bytes.subarray(0, 512), 'test');
  assert.equal(typeflag, 'x');
  return { attributes: decodePaxAttributes(bytes.subarray(512, 512 + size), 'test'), header };
}

test('a plain file needs no attributes', () => {
  const bytes = memberHeader(member);
  assert.ok(isTarHeader(bytes));
  assert.deepEqual(taken(bytes), { attributes: new Map(), header: { name: './etc/fstab', size: 3, typeflag: '0' } });
});

test('what a header has no room for is in attributes', () => {
  const name = Buffer.from(`./${'x'.repeat(255)}`);
  const { attributes } = taken(
    memberHeader({
      ...{ ...member, name, storedLength: 2 ** 40 },
      stat: {
        ...stat,
        uid: 2 ** 21,
        gid: 4e9,
        modified: { seconds: -2, nanoseconds: 500_000_000 },
        accessed: { seconds: -1, nanoseconds: 1 },
      },
      link: { kind: 'symlink', target: Buffer.alloc(300, 'y') },
    }),
  );
  assert.deepEqual(Object.fromEntries(attributes), {
    ...{ path: name.toString(), linkpath: 'y'.repeat(300), size: String(2 ** 40), uid: '2097152', gid: '4000000000' },
    ...{ mtime: '-1.500000000', atime: '-0.999999999' },
  });
});

test('names are split where a slash allows it', () => {
  const name = Buffer.from(`./${'a'.repeat(90)}/${'b'.repeat(100)}`);
  const { attributes, header } = taken(memberHeader({ ...member, name }));
  assert.deepEqual([attributes.size, header.name], [0, name.toString()]);
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 130 }), { minLength: 1, maxLength: 6 }),
      fc.boolean(),
      (lengths, isDirectory) => {
        const whole = Buffer.from(lengths.map((length) => 'n'.repeat(length)).join('/') + (isDirectory ? '/' : ''));
        const split = splitTarName(whole);
        if (split === undefined) return;
        const joined =
          split.prefix === undefined ? split.name : Buffer.concat([split.prefix, Buffer.from('/'), split.name]);
        assert.ok(whole.equals(joined));
        assert.ok(split.name.length <= 100 && split.name.length > 0 && (split.prefix?.length ?? 0) <= 155);
      },
    ),
  );
});

test('attributes are read as they were written, whatever their lengths', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.stringMatching(/^[a-z.]{1,20}$/), fc.string({ maxLength: 1200 })), { maxLength: 8 }),
      (pairs) => {
        const attributes = new Map(pairs);
        assert.deepEqual(decodePaxAttributes(encodePaxAttributes(attributes), 'test'), attributes);
      },
    ),
  );
});
