import assert from 'node:assert/strict';
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { newBody, writePack } from '../../test/store/small-pack.ts';
import { temporaryFolder } from '../../test/store/temporary-store.ts';
import { assertEqualBytes, pattern } from '../conformance/device-content.ts';
import { hexOf } from './chunk.ts';
import { packKey } from './chunk-table.ts';
import { DirectoryPackStore } from './directory-pack-store.ts';
import { nameOf } from './hash.ts';
import { bodyKinds, encodePackFooter, encodePackHeader, type PackEntry } from './pack-format.ts';
import { packNameOf, readPackIndex } from './pack-index.ts';
import { type FinishedPack, PackWriter } from './pack-writer.ts';
import { unpackBody } from './unpack-body.ts';

const corrupt = { name: 'VarveError', code: 'CORRUPT' };
const contents = [Buffer.alloc(65_536, 'abc'), pattern(65_536, 1), Buffer.alloc(160, 'n'), Buffer.alloc(64, 'r')];
const kinds = [bodyKinds.chunk, bodyKinds.chunk, bodyKinds.node, bodyKinds.root];
const bodies = contents.map((bytes, index) => newBody(bytes, kinds[index] as 0 | 1 | 2));

/** A place with one pack, whose bytes the test may change. */
async function packPlace() {
  const folder = await temporaryFolder();
  const packs = new DirectoryPackStore(folder.path);
  const pack = await writePack(packs, bodies);
  const path = join(folder.path, packKey(pack.name));
  const original = fs.readFileSync(path);
  return {
    packs,
    pack,
    key: packKey(pack.name),
    original,
    /** Reads the index of the pack as it would be with other bytes. */
    async readAs(bytes: Uint8Array, key = packKey(pack.name)) {
      fs.mkdirSync(dirname(join(folder.path, key)), { recursive: true });
      fs.writeFileSync(join(folder.path, key), bytes);
      await using fresh = new DirectoryPackStore(folder.path);
      return await readPackIndex(fresh, key);
    },
    async [Symbol.asyncDispose]() {
      await packs[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

describe('PackWriter', () => {
  test('writes what readPackIndex reads, and every body comes back from where the index says', async () => {
    await using place = await packPlace();
    const { pack, packs, key, original } = place;
    const index = await readPackIndex(packs, key);
    const plain = (entries: readonly PackEntry[]) => entries.map((entry) => ({ ...entry, name: hexOf(entry.name) }));
    assert.deepEqual(plain(index.entries), plain(pack.entries));
    assert.equal(hexOf(index.name), hexOf(pack.name));
    assert.equal(index.size, pack.size);
    assert.equal(pack.size, original.length);
    for (const [place, entry] of index.entries.entries()) {
      const stored = new Uint8Array(entry.storedLength);
      packs.read(key, stored, entry.offset);
      assertEqualBytes(unpackBody(stored, entry, key), contents[place] as Buffer, `body ${place}`);
    }
  });

  test('gives two packs of the same bodies different names', async () => {
    await using folder = await temporaryFolder();
    await using packs = new DirectoryPackStore(folder.path);
    const [a, b] = [await writePack(packs, bodies), await writePack(packs, bodies)] as [FinishedPack, FinishedPack];
    assert.notEqual(hexOf(a.name), hexOf(b.name));
    assert.deepEqual(a.entries, b.entries);
  });

  test('disposed of before it is finished, leaves nothing', async () => {
    await using folder = await temporaryFolder();
    await using packs = new DirectoryPackStore(folder.path);
    {
      await using writer = new PackWriter(packs);
      await writer.add(bodies);
    }
    await using _unused = new PackWriter(packs);
    const files = fs.readdirSync(folder.path, { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
    assert.deepEqual(files, []);
  });
});

describe('readPackIndex', () => {
  test('finds every flipped bit of header, index and footer', async () => {
    await using place = await packPlace();
    const { original, pack } = place;
    const indexOffset = (pack.entries.at(-1)?.offset ?? 0) + (pack.entries.at(-1)?.storedLength ?? 0);
    const places = [...original.keys()].filter((byte) => byte < 16 || byte >= indexOffset);
    for (const byte of places) {
      const damaged = Uint8Array.from(original);
      damaged[byte]! ^= 1 << (byte % 8);
      await assert.rejects(place.readAs(damaged), corrupt, `byte ${byte}`);
    }
    await place.readAs(original);
  });

  test('finds a pack that is cut short anywhere, or has something after it', async () => {
    await using place = await packPlace();
    const { original } = place;
    const lengths = [...original.keys()].filter(
      (length) => length < 100 || length > original.length - 280 || length % 997 === 0,
    );
    for (const length of lengths)
      await assert.rejects(place.readAs(original.subarray(0, length)), corrupt, `${length}`);
    await assert.rejects(place.readAs(Buffer.concat([original, new Uint8Array(1)])), corrupt);
    await assert.rejects(place.readAs(Buffer.concat([original, original])), corrupt);
  });

  test('finds a pack under the name of another', async () => {
    await using place = await packPlace();
    await assert.rejects(place.readAs(place.original, packKey(nameOf(place.original))), corrupt);
    await assert.rejects(place.readAs(place.original, 'packs/ab/web.pack'), corrupt);
  });

  test('of a pack that is not there is NOT_FOUND', async () => {
    await using place = await packPlace();
    await assert.rejects(readPackIndex(place.packs, packKey(new Uint8Array(32))), { code: 'NOT_FOUND' });
  });

  test('refuses an index out of all proportion before it makes room for it', async () => {
    await using folder = await temporaryFolder();
    await using packs = new DirectoryPackStore(folder.path);
    const indexLength = 16 + 48 * 2 ** 30;
    const name = nameOf(new Uint8Array(1));
    const path = join(folder.path, packKey(name));
    fs.mkdirSync(dirname(path), { recursive: true });
    fs.writeFileSync(path, encodePackHeader());
    const footer = encodePackFooter({ indexOffset: 16, indexLength, indexName: name });
    const file = fs.openSync(path, 'r+');
    fs.writeSync(file, footer, 0, footer.length, 16 + indexLength);
    fs.closeSync(file);
    const before = process.memoryUsage().arrayBuffers;
    await assert.rejects(readPackIndex(packs, packKey(name)), { ...corrupt, message: /out of all proportion/ });
    assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 24);
  });

  test('packNameOf knows the keys of packs and no others', () => {
    const name = nameOf(new Uint8Array(1));
    assert.deepEqual(packNameOf(packKey(name)), Buffer.from(name));
    for (const key of ['packs/ab/x.pack', 'packs/ab/.pack', `packs/ab/${hexOf(name)}`, `packs/ab/${hexOf(name)}.tmp`]) {
      assert.equal(packNameOf(key), undefined, key);
    }
    assert.equal(packNameOf(packKey(name).toUpperCase()), undefined);
  });
});
