import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { diskOf, noiseDisk } from '../../test/store/chunky-disk.ts';
import { runModule, startModule } from '../../test/store/run-module.ts';
import {
  assertClean,
  assertSnapshot,
  importDisk,
  ingest,
  readSnapshot,
  temporaryStore,
} from '../../test/store/temporary-store.ts';
import { isVarveError } from '../base/varve-error.ts';
import { assertEqualBytes } from '../conformance/device-content.ts';
import { chunkSize, hexOf } from './chunk.ts';
import { packKey } from './chunk-table.ts';
import { ContentMap } from './content-map.ts';
import { nameOf } from './hash.ts';
import { manifestKey } from './manifest.ts';
import { openStore, type Store } from './store.ts';
import { bytesToVerify, type VerifyReport, verifyStore } from './verify-store.ts';

/** `web@1 65536+131072`: the image, and offset and length of what is lost of it. */
function damageOf(report: VerifyReport): string[] {
  const ranges = report.problems.flatMap(({ damaged }) => damaged);
  const lines = ranges.map(({ image, number, offset, length }) => `${image}@${number} ${offset}+${length}`);
  return [...new Set(lines)].sort();
}

function messagesOf(report: VerifyReport): string[] {
  return report.problems.map(({ message }) => message);
}

/** Changes bytes of one of the store's files in place, and changes them back when it is disposed of. */
function changeFile(store: Store, key: string, change: (bytes: Uint8Array) => Uint8Array): Disposable {
  const path = join(store.path, key);
  const original = fs.readFileSync(path);
  fs.writeFileSync(path, change(Uint8Array.from(original)));
  return { [Symbol.dispose]: () => fs.writeFileSync(path, original) };
}

function flip(place: number): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => {
    bytes[place]! ^= 1 << (place % 8);
    return bytes;
  };
}

/** Reads a snapshot in a process of its own memory: with nothing kept from before. */
async function readAnew(store: Store, reference: string): Promise<Uint8Array | 'CORRUPT'> {
  await using fresh = await openStore(store.path);
  try {
    return await readSnapshot(fresh, reference);
  } catch (error) {
    if (isVarveError(error, 'CORRUPT')) return 'CORRUPT';
    throw error;
  }
}

/** A store with one pack, which holds three chunks, a node and a root; `web` is A B 0 A and a bit of C. */
async function smallStore() {
  const temporary = await temporaryStore();
  const { store } = temporary;
  const content = Buffer.concat([diskOf([1, 2, 0, 1]), Buffer.alloc(30_000, 'tail')]);
  const snapshot = await importDisk(store, 'web', content);
  const [key] = [...store.packs.list('packs')].map((entry) => entry.key) as [string];
  return { ...temporary, content, snapshot, key };
}

describe('verifyStore of a whole store', () => {
  test('says what it looked at, and has nothing to say', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    assert.deepEqual(await verifyStore(store), {
      ...{ packCount: 0, chunkCount: 0, snapshotCount: 0, bytes: 0, problems: [], leftovers: [] },
    });
    await importDisk(store, 'web', diskOf([1, 2, 3]));
    await importDisk(store, 'web', diskOf([1, 2, 4]));
    const positions: number[] = [];
    const report = await verifyStore(store, { onProgress: (position) => positions.push(position) });
    assert.deepEqual(report.problems, []);
    assert.deepEqual([report.packCount, report.chunkCount, report.snapshotCount], [2, 8, 2]);
    assert.equal(report.bytes, bytesToVerify(store));
    assert.equal(positions.at(-1), report.bytes);
  });

  test('stops when it is told to, and does not call the store clean', async () => {
    await using temporary = await temporaryStore();
    await ingest(temporary.store, diskOf([1, 2, 3]));
    await assert.rejects(verifyStore(temporary.store, { signal: AbortSignal.abort() }), { code: 'ABORTED' });
  });

  test('finds nothing wrong while others import, remove and collect', async () => {
    await using temporary = await temporaryStore();
    const { store, path } = temporary;
    await importDisk(store, 'stays', noiseDisk(8));
    const child = startModule(
      `const { openStore } = await import('../../src/store/store.ts');
       const { collectGarbage } = await import('../../src/store/collect-garbage.ts');
       const { importDisk } = await import('../store/temporary-store.ts');
       const { noiseDisk } = await import('../store/chunky-disk.ts');
       await using store = await openStore(process.argv[1]);
       let running = true;
       process.stdin.on('end', () => { running = false; }).resume();
       for (let turn = 0; running; turn += 1) {
         await importDisk(store, 'large', noiseDisk(30, 2 + turn % 3));
         await importDisk(store, 'part', noiseDisk(30, 2 + turn % 3).subarray(0, 300_000));
         store.edit.removeImage('large');
         await collectGarbage(store);
         store.edit.removeImage('part');
         await collectGarbage(store);
         if (turn === 2) console.log('going');
       }`,
      [path],
    );
    await new Promise((resolve) => child.stdout!.once('data', resolve));
    let snapshotCount = 0;
    for (let turn = 0; turn < 40; turn += 1) {
      const report = await verifyStore(store);
      assert.deepEqual(report.problems, [], `turn ${turn}`);
      snapshotCount = Math.max(snapshotCount, report.snapshotCount);
    }
    child.stdin!.end();
    await new Promise((resolve) => child.once('close', resolve));
    assert.equal(child.exitCode, 0);
    assert.ok(snapshotCount > 1, 'it saw some of what came and went');
    await assertClean(store);
  });
});

describe('verifyStore of a damaged pack', () => {
  test('finds every byte of it that changed, says what that hurts, and no read returns what is wrong', async () => {
    await using small = await smallStore();
    const { store, content, snapshot, key } = small;
    const { top } = await ContentMap.open(store.reader, snapshot.root);
    const all = ['web@1 0+292144'];
    const hurt = new Map([
      [hexOf(nameOf(diskOf([1]))), ['web@1 0+65536', 'web@1 196608+65536']],
      [hexOf(nameOf(diskOf([2]))), ['web@1 65536+65536']],
      [hexOf(nameOf(Buffer.concat([content.subarray(4 * chunkSize), new Uint8Array(35_536)]))), ['web@1 262144+30000']],
      [hexOf(top), all],
      [hexOf(snapshot.root), all],
    ]);
    const size = store.packs.size(key);
    assert.ok(size < 3000, `${size} bytes, or this takes long`);
    const places = [...hurt].map(([name, lines]) => ({ ...store.chunks.find(Buffer.from(name, 'hex'))!, lines }));
    let refused = 0;
    for (let place = 0; place < size; place += 1) {
      using _change = changeFile(store, key, flip(place));
      const report = await verifyStore(store);
      const body = places.find(({ offset, storedLength }) => place >= offset && place < offset + storedLength);
      assert.equal(report.problems.length, 1, `byte ${place}: ${messagesOf(report).join(', ')}`);
      assert.match(messagesOf(report)[0]!, new RegExp(key));
      assert.deepEqual(damageOf(report), body?.lines ?? all, `byte ${place}`);
      if (place % 5 !== 0) continue;
      // A few bits of a zstd frame do not matter to what comes out of it.
      const read = await readAnew(store, 'web');
      if (read === 'CORRUPT') refused += 1;
      else assertEqualBytes(read, content, `with byte ${place} changed`);
    }
    assert.ok(refused > 30, `${refused} reads were refused`);
    await assertClean(store);
  });

  test('a damaged chunk hurts itself alone: what is beside it can be read', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    const content = noiseDisk(5);
    await importDisk(store, 'web', content);
    const { packKey: key, offset } = store.chunks.find(nameOf(noiseDisk(5).subarray(2 * chunkSize, 3 * chunkSize)))!;
    using _change = changeFile(store, key, flip(offset + 100));
    await using fresh = await openStore(store.path);
    await using device = await fresh.openSnapshot(fresh.images.resolve('web'));
    for (let chunk = 0; chunk < 5; chunk += 1) {
      const target = new Uint8Array(chunkSize);
      const read = async () => device.read(target, chunk * chunkSize);
      if (chunk === 2) await assert.rejects(read(), { code: 'CORRUPT', message: /run varve verify/ });
      else {
        await read();
        assertEqualBytes(target, content.subarray(chunk * chunkSize, (chunk + 1) * chunkSize), `chunk ${chunk}`);
      }
    }
    await assert.rejects(async () => device.read(new Uint8Array(2), 2 * chunkSize - 1), { code: 'CORRUPT' });
  });

  test('names every image and range that needs what is lost, neighbours joined, the last one cut to the disk', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    await importDisk(store, 'web', diskOf([4, 8, 12, 0, 8, 12, 16]));
    await importDisk(store, 'db', diskOf([16, 16]));
    await importDisk(store, 'db', diskOf([8, 8, 16]));
    await importDisk(store, 'whole', diskOf([4, 16]));
    const { packKey: key, offset } = store.chunks.find(nameOf(diskOf([8])))!;
    const other = store.chunks.find(nameOf(diskOf([12])))!.offset;
    using _change = changeFile(store, key, (bytes) => flip(other)(flip(offset)(bytes)));
    const report = await verifyStore(store);
    assert.equal(report.problems.length, 2);
    assert.deepEqual(damageOf(report), ['db@2 0+131072', 'web@1 262144+131072', 'web@1 65536+131072']);
    const range = report.problems[0]!.damaged.find(({ image }) => image === 'web');
    assert.deepEqual(range!.names.toSorted(), [nameOf(diskOf([8])), nameOf(diskOf([12]))].map(hexOf).toSorted());
  });

  test('that is missing, cut short, longer, or another one, is lost with all that is in it', async () => {
    await using small = await smallStore();
    const { store, key } = small;
    const all = ['web@1 0+292144'];
    const size = store.packs.size(key);
    const lengths = [...Array(size).keys()].filter((length) => length % 29 === 0 || length < 3 || length > size - 3);
    for (const length of lengths) {
      using _change = changeFile(store, key, (bytes) => bytes.subarray(0, length));
      assert.deepEqual(damageOf(await verifyStore(store)), all, `${length} bytes`);
    }
    const changes: Record<string, (bytes: Uint8Array) => Uint8Array> = {
      longer: (bytes) => Buffer.concat([bytes, new Uint8Array(1)]),
      zeros: (bytes) => bytes.fill(0),
      'in two halves': (bytes) => Buffer.concat([bytes.subarray(size / 2), bytes.subarray(0, size / 2)]),
    };
    for (const [name, change] of Object.entries(changes)) {
      using _change = changeFile(store, key, change);
      assert.deepEqual(damageOf(await verifyStore(store)), all, name);
      assert.equal(await readAnew(store, 'web').then((read) => read === 'CORRUPT' || name === 'longer'), true);
    }
    const path = join(store.path, key);
    fs.renameSync(path, `${path}.away`);
    const report = await verifyStore(store);
    assert.deepEqual(damageOf(report), all);
    assert.match(messagesOf(report).join(), /the pack is missing/);
    assert.equal(await readAnew(store, 'web'), 'CORRUPT');
    fs.renameSync(`${path}.away`, path);
    await assertClean(store);
  });

  test('that no snapshot needs hurts nobody, and is told all the same', async () => {
    await using small = await smallStore();
    const { store, key } = small;
    store.edit.removeImage('web');
    using _change = changeFile(store, key, flip(20));
    const report = await verifyStore(store);
    assert.equal(report.problems.length, 1);
    assert.deepEqual(damageOf(report), []);
  });
});

describe('verifyStore of a damaged catalog', () => {
  const changes: Record<string, string> = {
    'an offset': 'UPDATE chunks SET offset = offset + 1 WHERE kind = 0',
    'a negative offset': 'UPDATE chunks SET offset = -1 WHERE kind = 0',
    'an offset past the end': 'UPDATE chunks SET offset = 9007199254740000 WHERE kind = 0',
    'a stored length': 'UPDATE chunks SET stored_length = stored_length - 1 WHERE kind = 0',
    'an impossible stored length': 'UPDATE chunks SET stored_length = 9007199254740000 WHERE kind = 0',
    'no stored length': 'UPDATE chunks SET stored_length = 0 WHERE kind = 0',
    'a length': 'UPDATE chunks SET length = length - 1 WHERE kind = 0',
    'an impossible length': 'UPDATE chunks SET length = 9007199254740000 WHERE kind = 0',
    'a checksum': 'UPDATE chunks SET crc32 = crc32 + 1 WHERE kind = 0',
    'a method': 'UPDATE chunks SET method = 0 WHERE kind = 0',
    'an unknown method': 'UPDATE chunks SET method = 7 WHERE kind = 0',
    'a kind': 'UPDATE chunks SET kind = 1 WHERE kind = 0',
    'a pack that is not there': 'UPDATE chunks SET pack = 77 WHERE kind = 0',
    'another pack': 'UPDATE chunks SET pack = 2 WHERE kind = 0 AND pack = 1',
    'a name': `UPDATE chunks SET name = x'${'0a'.repeat(32)}' WHERE id = (SELECT min(id) FROM chunks WHERE kind = 0)`,
    'chunks that are gone': 'DELETE FROM chunks WHERE kind = 0',
    'nodes that are gone': 'DELETE FROM chunks WHERE kind = 1',
    'roots that are gone': 'DELETE FROM chunks WHERE kind = 2',
    'a pack that is gone': 'DELETE FROM packs WHERE id = 1',
    'the size of a pack': 'UPDATE packs SET size = size + 1 WHERE id = 1',
    'the name of a pack': `UPDATE packs SET name = x'${'0a'.repeat(32)}' WHERE id = 1`,
    'the root of a snapshot': `UPDATE snapshots SET root = x'${'0a'.repeat(32)}'`,
    'the size of a snapshot': 'UPDATE snapshots SET size = size + 1',
    'the number of a snapshot': 'UPDATE snapshots SET number = number + 1',
    'the id of a snapshot': `UPDATE snapshots SET id = x'${'0a'.repeat(32)}'`,
  };

  for (const [name, statement] of Object.entries(changes)) {
    test(`finds ${name} that the packs and manifests do not bear out, and no read returns what is wrong`, async () => {
      await using small = await smallStore();
      const { store, content } = small;
      await importDisk(store, 'other', noiseDisk(2));
      store.edit.removeImage('other');
      store.catalog.write(() => store.catalog.run(statement));
      await using fresh = await openStore(store.path);
      const { problems } = await verifyStore(fresh);
      assert.notDeepEqual(problems, []);
      const read = await readAnew(store, 'web');
      if (read !== 'CORRUPT') assertEqualBytes(read, content, name);
    });
  }

  test('a page of it that is overwritten is CORRUPT, or a problem that says to rebuild it', async () => {
    await using small = await smallStore();
    const { store, path } = small;
    for (let turn = 0; turn < 300; turn += 1) await ingest(store, diskOf([turn + 10]));
    await store[Symbol.asyncDispose]();
    const file = join(path, 'catalog.sqlite');
    const pageCount = fs.statSync(file).size / 4096;
    // In a process of its own, which SQLite must not crash.
    const source = `
      const fs = await import('node:fs');
      const { openStore } = await import('../../src/store/store.ts');
      const { verifyStore } = await import('../../src/store/verify-store.ts');
      const [, path, file, pageCount] = process.argv;
      const original = fs.readFileSync(file);
      for (let page = 1; page < pageCount; page += Math.ceil(pageCount / 25)) {
        fs.writeFileSync(file, Uint8Array.from(original).fill(0xa5, page * 4096, (page + 1) * 4096));
        try {
          await using store = await openStore(path);
          const { problems } = await verifyStore(store);
          console.log(problems.length === 0 ? 'clean' : 'problem: ' + problems[0].message);
        } catch (error) {
          console.log(error.code + ': ' + error.message);
        }
      }`;
    const { status, output } = await runModule(source, [path, file, String(pageCount)]);
    assert.equal(status, 0);
    const lines = output.trim().split('\n');
    for (const line of lines) {
      assert.match(line, /^(clean|problem: .*|CORRUPT: .*rebuild it with varve verify --rebuild)$/);
    }
    const found = lines.filter((line) => line !== 'clean').length;
    assert.ok(found > 10, `${found} of ${lines.length} pages`);
  });
});

describe('verifyStore of manifests', () => {
  test('finds one that changed, is missing, is cut short or is another’s', async () => {
    await using small = await smallStore();
    const { store, snapshot } = small;
    const second = await importDisk(store, 'web', diskOf([5]));
    const key = manifestKey(snapshot.id);
    const changes: Record<string, (bytes: Uint8Array) => Uint8Array> = {
      'a flipped bit': flip(40),
      'another message': (bytes) => Buffer.from(Buffer.from(bytes).toString().replace('""', '"x"')),
      'cut short': (bytes) => bytes.subarray(0, -1),
      empty: () => new Uint8Array(0),
      'another manifest': () => fs.readFileSync(join(store.path, manifestKey(second.id))),
    };
    for (const [name, change] of Object.entries(changes)) {
      using _change = changeFile(store, key, change);
      const report = await verifyStore(store);
      assert.deepEqual(messagesOf(report), [`${key}: its content does not have its name`], name);
    }
    fs.rmSync(join(store.path, key));
    assert.deepEqual(messagesOf(await verifyStore(store)), [`${key}: missing, the manifest of web@1`]);
    await assertSnapshot(store, 'web@1', small.content);
  });

  test('names files that belong to nothing, which are no problem', async () => {
    await using small = await smallStore();
    const { store } = small;
    const stray = packKey(nameOf(new Uint8Array(1)));
    store.packs.replace(stray, new Uint8Array(3));
    assert.deepEqual((await assertClean(store)).leftovers, [stray]);
  });
});
