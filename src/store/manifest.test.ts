import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { hexOf } from './chunk.ts';
import { nameOf } from './hash.ts';
import { decodeManifest, encodeManifest, type Manifest, manifestKey } from './manifest.ts';

const manifest: Manifest = {
  image: { uuid: '6ba7b810-9dad-41d1-80b4-00c04fd430c8', name: 'web' },
  number: 3,
  root: nameOf(Buffer.from('root')),
  size: 2 ** 31,
  parent: nameOf(Buffer.from('parent')),
  time: Date.UTC(2026, 10, 21, 2, 3, 4, 567),
  message: 'first line\n\n"second", \\ and 😀\t',
  author: 'Ada <ada@example.org>',
  statistics: { dataLength: 65_536, addedLength: 65_536, storedLength: 999 },
};

function decode(bytes: Uint8Array): Manifest {
  return decodeManifest(bytes, nameOf(bytes), 'a manifest');
}

function asPlain({ root, parent, ...rest }: Manifest) {
  return { ...rest, root: hexOf(root), parent: parent && hexOf(parent) };
}

/** The manifest as JSON with something changed in it, under its right name. */
function changed(change: (json: Record<string, unknown>) => void): Uint8Array {
  const json = JSON.parse(Buffer.from(encodeManifest(manifest)).toString()) as Record<string, unknown>;
  change(json);
  return Buffer.from(JSON.stringify(json));
}

const corrupt = { name: 'VarveError', code: 'CORRUPT', message: /^a manifest: [^\n]+$/ };

describe('manifest', () => {
  test('decodes to what was encoded, under the name of its bytes', () => {
    assert.deepEqual(asPlain(decode(encodeManifest(manifest))), asPlain(manifest));
    const first = { ...manifest, parent: undefined };
    assert.deepEqual(asPlain(decode(encodeManifest(first))), asPlain(first));
    assert.equal(manifestKey(manifest.root), `snapshots/${hexOf(manifest.root)}.json`);
  });

  test('keeps any message, author, time and count', () => {
    const text = fc.string({ unit: 'binary' });
    const time = fc.integer({ min: -8_640_000_000_000_000, max: 8_640_000_000_000_000 });
    fc.assert(
      fc.property(text, text, time, fc.maxSafeNat(), (message, author, when, count) => {
        const any = { ...manifest, message, author, time: when, size: count, number: Math.max(1, count) };
        assert.deepEqual(asPlain(decode(encodeManifest(any))), asPlain(any));
      }),
    );
  });

  test('under another name is CORRUPT: not a bit of it can change', () => {
    const bytes = encodeManifest(manifest);
    const id = nameOf(bytes);
    for (const place of bytes.keys()) {
      const flipped = Uint8Array.from(bytes);
      flipped[place]! ^= 1 << (place % 8);
      assert.throws(() => decodeManifest(flipped, id, 'a manifest'), corrupt);
    }
    for (let length = 0; length < bytes.length; length += 1) {
      assert.throws(() => decodeManifest(bytes.subarray(0, length), id, 'a manifest'), corrupt);
    }
  });

  test('that is no JSON, or no object, is CORRUPT', () => {
    for (const text of ['', '{', 'null', '[]', '3', '"snapshot"', '{}', '{"varve":"snapshot"}', '\ufeff']) {
      assert.throws(() => decode(Buffer.from(text)), corrupt, text);
    }
    assert.throws(() => decode(Buffer.from([0x22, 0xff, 0x22])), corrupt);
  });

  test('with a field missing or of a wrong kind is CORRUPT, and names it', () => {
    const fields = ['image', 'number', 'root', 'size', 'parent', 'time', 'message', 'author', 'statistics'];
    const wrong = [undefined, true, [], {}, -1, 1.5, 2 ** 53, '', 'x', null];
    const right: Record<string, unknown[]> = { parent: [null], message: ['', 'x'], author: ['', 'x'] };
    for (const field of fields) {
      for (const value of wrong.filter((each) => !right[field]?.includes(each))) {
        assert.throws(
          () => decode(changed((json) => Object.assign(json, { [field]: value }))),
          { ...corrupt, message: new RegExp(`^a manifest: .*${field === 'number' ? 'number' : field}`) },
          `${field}: ${JSON.stringify(value)}`,
        );
      }
    }
    for (const value of [undefined, null, 'x', -1]) {
      assert.throws(
        () => decode(changed((json) => Object.assign(json.statistics as object, { stored_length: value }))),
        corrupt,
      );
    }
    assert.throws(() => decode(changed((json) => Object.assign(json, { varve: 'image' }))), corrupt);
    assert.throws(() => decode(changed((json) => Object.assign(json, { number: 0 }))), corrupt);
  });

  test('that would lead outside of the store is CORRUPT', () => {
    for (const image of [
      { uuid: '../../../../etc/cron.d/x', name: 'web' },
      { uuid: `${manifest.image.uuid}/../../x`, name: 'web' },
      { uuid: manifest.image.uuid.toUpperCase(), name: 'web' },
      { uuid: manifest.image.uuid, name: '../web' },
      { uuid: manifest.image.uuid, name: '' },
    ]) {
      assert.throws(() => decode(changed((json) => Object.assign(json, { image }))), corrupt);
    }
  });

  test('of a newer version is UNSUPPORTED', () => {
    assert.throws(() => decode(changed((json) => Object.assign(json, { version: 2 }))), { code: 'UNSUPPORTED' });
  });

  test('may hold more fields than this version knows', () => {
    assert.deepEqual(asPlain(decode(changed((json) => Object.assign(json, { more: 1 })))), asPlain(manifest));
  });
});
