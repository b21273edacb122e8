import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeDescriptor, encodeDescriptor, looksLikeDescriptor } from './descriptor.ts';

const text = `# Disk DescriptorFile
version=1
encoding="UTF-8"
CID=fffffffe
parentCID=ffffffff
isNativeSnapshot="no"
createType="twoGbMaxExtentSparse"

# Extent description
RW 4192256 SPARSE "a b-s001.vmdk"\r
RDONLY 63 FLAT "a-pt.vmdk" 12
RW 100 ZERO

#DDB
ddb.adapterType = "lsilogic"
`;

function decode(content: string | Uint8Array) {
  return decodeDescriptor(typeof content === 'string' ? new TextEncoder().encode(content) : content, 'test disk');
}

test('a descriptor tells its extents in bytes, whatever the line ends are', () => {
  for (const content of [text, text.replaceAll('\n', '\r\n'), `${text}\0\0\0RW 1 ZERO\n`]) {
    const { contentId, createType, extents, parent } = decode(content);
    assert.equal(contentId, 0xffff_fffe);
    assert.equal(createType, 'twoGbMaxExtentSparse');
    assert.equal(parent, undefined);
    assert.deepEqual(extents, [
      { access: 'RW', size: 4192256 * 512, type: 'SPARSE', fileName: 'a b-s001.vmdk', offset: 0 },
      { access: 'RDONLY', size: 63 * 512, type: 'FLAT', fileName: 'a-pt.vmdk', offset: 12 * 512 },
      { access: 'RW', size: 51200, type: 'ZERO', fileName: undefined, offset: 0 },
    ]);
  }
});

test('a parent has a content id and a name', () => {
  const child = text.replace('parentCID=ffffffff', 'parentCID=0123abcd\nparentFileNameHint="the base.vmdk"');
  assert.deepEqual(decode(child).parent, { contentId: 0x0123_abcd, fileName: 'the base.vmdk' });
  assert.throws(() => decode(text.replace('parentCID=ffffffff', 'parentCID=0123abcd')), {
    code: 'CORRUPT',
    message: /test disk.*parentFileNameHint/,
  });
});

test('names are in the encoding that the descriptor says', () => {
  const latin = text.replace('UTF-8', 'windows-1252').replace('a b-s001', 'größe');
  assert.equal(decode(Buffer.from(latin, 'latin1')).extents[0]?.fileName, 'größe.vmdk');
  assert.equal(decode(text.replace('a b-s001', 'größe')).extents[0]?.fileName, 'größe.vmdk');
  assert.equal(decode(text.replace('UTF-8', 'no such encoding')).extents.length, 3);
});

test('what does not start with its version is no descriptor', () => {
  const encode = (content: string): Uint8Array => new TextEncoder().encode(content);
  assert.ok(looksLikeDescriptor(encode(text)));
  assert.ok(looksLikeDescriptor(encode('\n# a comment\n  version = 3\n')));
  for (const content of ['', '# Disk DescriptorFile\n', 'CID=1\nversion=1\n', 'version=4\n', '\0version=1\n']) {
    assert.ok(!looksLikeDescriptor(encode(content)), content);
    assert.throws(() => decode(content), { code: 'CORRUPT' });
  }
});

test('impossible numbers and too many extents are CORRUPT', () => {
  for (const [from, to] of [
    ['CID=fffffffe', 'CID=xyz'],
    ['CID=fffffffe', ''],
    ['parentCID=ffffffff', 'parentCID=fffffffff'],
    ['RW 4192256', 'RW 9223372036854775807'],
    ['a-pt.vmdk" 12', 'a-pt.vmdk" 9223372036854775807'],
    ['RW 100 ZERO\n', 'RW 100 ZERO\n'.repeat(5000)],
  ] as const) {
    assert.throws(() => decode(text.replace(from, to)), { code: 'CORRUPT', message: /test disk/ }, to);
  }
});

test('long lines and long runs of blanks take no time', () => {
  const blanks = ' '.repeat(500_000);
  assert.equal(decode(`${text}key=${blanks}"x\nRW${blanks}5 ZERO\n"${blanks}\n`).extents.length, 3);
});

test('what is encoded decodes again, with the name of the file where it fits', () => {
  const geometry = { cylinders: 5, heads: 255, sectors: 63 };
  const values = { contentId: 0x12, createType: 'streamOptimized', sectorCount: 77, adapterType: 'ide', geometry };
  for (const [fileName, expected] of [
    ['größe 1.vmdk', 'größe 1.vmdk'],
    [undefined, 'disk.vmdk'],
    ['a"b.vmdk', 'disk.vmdk'],
    ['a\nRW 1 FLAT "x" 0', 'disk.vmdk'],
  ]) {
    const decoded = decode(encodeDescriptor({ ...values, fileName }));
    assert.deepEqual([decoded.contentId, decoded.createType, decoded.parent], [0x12, 'streamOptimized', undefined]);
    assert.deepEqual(decoded.extents, [
      { access: 'RW', size: 77 * 512, type: 'SPARSE', fileName: expected, offset: 0 },
    ]);
  }
});
