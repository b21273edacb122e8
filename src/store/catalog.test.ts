import assert from 'node:assert/strict';
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { runTogether } from '../../test/store/run-module.ts';
import { temporaryFolder } from '../../test/store/temporary-store.ts';
import { Catalog } from './catalog.ts';
import { catalogSteps, catalogVersion } from './catalog-schema.ts';
import { LeaseTable } from './lease.ts';
import { OverlayTable } from './overlay/overlay-table.ts';

/** The path of a catalog in a folder of its own. */
async function catalogPlace() {
  const folder = await temporaryFolder();
  return { path: join(folder.path, 'catalog.sqlite'), [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

function setKey(catalog: Catalog, key: string, value: string): void {
  catalog.run('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)', key, value);
}

function keysOf(catalog: Catalog): string[] {
  return catalog.all('SELECT key FROM meta ORDER BY key').map((row) => row.key as string);
}

/** Lets temporary files be made in a folder below `parent`, so that those of others are not seen. */
function ownTemporaryFolder(parent: string) {
  const path = fs.mkdtempSync(join(parent, 'tmp-'));
  const { TMPDIR } = process.env;
  process.env.TMPDIR = path;
  return {
    entries: () => fs.readdirSync(path),
    [Symbol.dispose]() {
      if (TMPDIR === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = TMPDIR;
    },
  };
}

describe('Catalog', () => {
  test('is made empty, and found as it is by who makes it again', async () => {
    await using place = await catalogPlace();
    {
      using catalog = Catalog.create(place.path);
      catalog.write(() => setKey(catalog, 'a', '1'));
    }
    using catalog = Catalog.create(place.path);
    assert.deepEqual(keysOf(catalog), ['a']);
    assert.deepEqual(catalog.integrityErrors(), []);
  });

  test('is made once by processes that make it at the same moment', async () => {
    await using place = await catalogPlace();
    const source = `
      const { Catalog } = await import('../../src/store/catalog.ts');
      const moment = await start();
      for (let turn = 0; turn < 20; turn += 1) {
        waitUntil(moment + turn * 20);
        using catalog = Catalog.create(process.argv[1] + turn);
        catalog.write(() => catalog.run('INSERT INTO meta (key, value) VALUES (?, ?)', String(process.pid), ''));
      }
      console.log('made');
    `;
    const results = await runTogether(source, Array(4).fill([place.path]));
    assert.deepEqual(results, Array(4).fill({ status: 0, output: 'made\n' }));
    for (let turn = 0; turn < 20; turn += 1) {
      using catalog = Catalog.open(place.path + turn);
      assert.equal(keysOf(catalog).length, 4);
    }
  });

  test('that is missing, empty, no database or from a newer version is refused with a line that says so', async () => {
    await using place = await catalogPlace();
    const open = (path = place.path) => Catalog.open(path)[Symbol.dispose]();
    assert.throws(() => open(), { name: 'VarveError', code: 'NOT_FOUND' });
    fs.writeFileSync(place.path, '');
    assert.throws(() => open(), { name: 'VarveError', code: 'CORRUPT', message: /rebuild it with/ });
    fs.writeFileSync(place.path, 'This is no database.'.repeat(1000));
    assert.throws(() => open(), {
      name: 'VarveError',
      code: 'CORRUPT',
      message: /no SQLite database; rebuild it with/,
    });
    fs.rmSync(place.path);
    Catalog.create(place.path)[Symbol.dispose]();
    {
      using database = new DatabaseSync(place.path);
      database.exec(`PRAGMA user_version = ${catalogVersion + 1}`);
    }
    for (const readOnly of [false, true]) {
      assert.throws(() => Catalog.open(place.path, { readOnly }), { name: 'VarveError', code: 'UNSUPPORTED' });
    }
  });

  test('that was cut short is CORRUPT, when it is opened or when it is used', async () => {
    await using place = await catalogPlace();
    {
      using catalog = Catalog.create(place.path);
      catalog.write(() => {
        for (let index = 0; index < 1000; index += 1) setKey(catalog, `key ${index}`, 'x'.repeat(100));
      });
    }
    fs.truncateSync(place.path, Math.floor(fs.statSync(place.path).size / 8192) * 4096);
    assert.throws(
      () => {
        using catalog = Catalog.open(place.path);
        catalog.all('SELECT * FROM meta');
        assert.notDeepEqual(catalog.integrityErrors(), []);
      },
      { name: 'VarveError', code: 'CORRUPT', message: /rebuild it with/ },
    );
  });

  test('a transaction that throws changes nothing, and the next one works', async () => {
    await using place = await catalogPlace();
    using catalog = Catalog.create(place.path);
    for (const write of ['write', 'writeLazily'] as const) {
      assert.throws(
        () =>
          catalog[write](() => {
            setKey(catalog, 'lost', '1');
            throw new Error('changed my mind');
          }),
        /changed my mind/,
      );
      assert.deepEqual(keysOf(catalog), []);
    }
    assert.equal(
      catalog.write(() => 42),
      42,
    );
  });

  test('waits for the disk in every transaction but the lazy ones, also after one of those failed', async () => {
    await using place = await catalogPlace();
    using catalog = Catalog.create(place.path);
    const level = () => catalog.get('PRAGMA synchronous')?.synchronous;
    const full = 2;
    assert.equal(level(), full);
    assert.notEqual(catalog.writeLazily(level), full);
    assert.equal(level(), full);
    assert.throws(() =>
      catalog.writeLazily(() => {
        throw new Error('no');
      }),
    );
    assert.equal(catalog.write(level), full);
  });

  test('transactions of several processes come one after the other', async () => {
    await using place = await catalogPlace();
    using catalog = Catalog.create(place.path);
    catalog.write(() => setKey(catalog, 'count', '0'));
    const source = `
      const { Catalog } = await import('../../src/store/catalog.ts');
      using catalog = Catalog.open(process.argv[1]);
      await start();
      for (let turn = 0; turn < 50; turn += 1) {
        catalog[turn % 2 === 0 ? 'write' : 'writeLazily'](() => {
          const count = Number(catalog.get("SELECT value FROM meta WHERE key = 'count'").value);
          catalog.run("UPDATE meta SET value = ? WHERE key = 'count'", String(count + 1));
        });
      }
    `;
    const results = await runTogether(source, Array(3).fill([place.path]));
    assert.deepEqual(
      results.map(({ status }) => status),
      [0, 0, 0],
    );
    assert.equal(catalog.get("SELECT value FROM meta WHERE key = 'count'")?.value, '150');
  });

  test('read sees one moment, whatever others write meanwhile', async () => {
    await using place = await catalogPlace();
    using catalog = Catalog.create(place.path);
    using other = Catalog.open(place.path);
    catalog.read(() => {
      assert.deepEqual(keysOf(catalog), []);
      other.write(() => setKey(other, 'new', '1'));
      assert.deepEqual(keysOf(catalog), []);
    });
    assert.deepEqual(keysOf(catalog), ['new']);
  });

  test('two iterations of one statement do not disturb each other', async () => {
    await using place = await catalogPlace();
    using catalog = Catalog.create(place.path);
    catalog.write(() => {
      for (const key of 'abc') setKey(catalog, key, key);
    });
    const pairs: string[] = [];
    for (const outer of catalog.iterate('SELECT key FROM meta ORDER BY key')) {
      for (const inner of catalog.iterate('SELECT key FROM meta ORDER BY key')) pairs.push(`${outer.key}${inner.key}`);
    }
    assert.deepEqual(pairs, ['aa', 'ab', 'ac', 'ba', 'bb', 'bc', 'ca', 'cb', 'cc']);
  });

  test('keeps text as it was given, whatever is in it', async () => {
    await using place = await catalogPlace();
    using catalog = Catalog.create(place.path);
    for (const text of ['', 'a\0b', 'line\nline\r\n', '😀 é e\u0301 \u202e', "'; DROP TABLE meta; --"]) {
      catalog.write(() => setKey(catalog, text, text));
      assert.equal(catalog.get('SELECT value FROM meta WHERE key = ?', text)?.value, text);
    }
  });
});

describe('a catalog of version 1', () => {
  /** As it was made before there were overlays, with a lease in it. */
  function makeFirst(path: string): void {
    using database = new DatabaseSync(path);
    database.exec(`PRAGMA journal_mode = WAL; BEGIN; ${catalogSteps[0]} PRAGMA user_version = 1; COMMIT;
      INSERT INTO meta VALUES ('kept', '1');
      INSERT INTO leases VALUES (7, 'read', 'read web@1', 1, 1, '', '', NULL, 0);`);
  }

  test('is brought up to date when it is opened, with all that is in it', async () => {
    await using place = await catalogPlace();
    makeFirst(place.path);
    for (let turn = 0; turn < 2; turn += 1) {
      using catalog = Catalog.open(place.path);
      assert.equal(catalog.get('PRAGMA user_version')?.user_version, catalogVersion);
      assert.deepEqual(keysOf(catalog), ['kept']);
      assert.deepEqual(
        { ...catalog.get('SELECT id, owner, socket FROM leases') },
        { id: 7, owner: null, socket: null },
      );
      assert.deepEqual(new OverlayTable(catalog).all(), []);
    }
  });

  test('is brought up to date once by processes that open it at the same moment', async () => {
    await using place = await catalogPlace();
    makeFirst(place.path);
    const source = `
      const { Catalog } = await import('../../src/store/catalog.ts');
      await start();
      using catalog = Catalog.open(process.argv[1]);
      console.log(catalog.get('PRAGMA user_version').user_version);
    `;
    const results = await runTogether(source, Array(3).fill([place.path]));
    assert.deepEqual(results, Array(3).fill({ status: 0, output: `${catalogVersion}\n` }));
  });

  test('is read as it is where it must not be written to', async () => {
    await using place = await catalogPlace();
    makeFirst(place.path);
    using catalog = Catalog.open(place.path, { readOnly: true });
    assert.equal(catalog.get('PRAGMA user_version')?.user_version, 1);
    assert.deepEqual([new OverlayTable(catalog).all(), new LeaseTable(catalog).living()], [[], []]);
  });
});

describe('Catalog for reading only', () => {
  for (const isLogged of [false, true]) {
    test(`sees what was committed ${isLogged ? 'to a log that is still there' : 'by those who are gone'}, and takes no change`, async () => {
      await using place = await catalogPlace();
      using scratch = ownTemporaryFolder(dirname(place.path));
      const writer = Catalog.create(place.path);
      writer.write(() => setKey(writer, 'committed', '1'));
      if (!isLogged) writer[Symbol.dispose]();
      assert.equal(fs.existsSync(`${place.path}-wal`), isLogged);
      {
        using reader = Catalog.open(place.path, { readOnly: true });
        assert.equal(reader.readOnly, true);
        assert.deepEqual(keysOf(reader), ['committed']);
        for (const write of ['write', 'writeLazily'] as const) {
          assert.throws(() => reader[write](() => setKey(reader, 'lost', '1')), {
            name: 'VarveError',
            code: 'READ_ONLY',
          });
        }
        assert.deepEqual(keysOf(reader), ['committed']);
      }
      assert.deepEqual(scratch.entries(), []);
      if (isLogged) writer[Symbol.dispose]();
    });
  }

  test('follows those who write while it is open, through checkpoints and their leaving', async () => {
    await using place = await catalogPlace();
    const writer = Catalog.create(place.path);
    using reader = Catalog.open(place.path, { readOnly: true });
    for (let turn = 0; turn < 3; turn += 1) {
      writer.write(() => setKey(writer, `turn ${turn}`, 'x'.repeat(10_000)));
      assert.equal(keysOf(reader).length, turn + 1);
      writer.get('PRAGMA wal_checkpoint(PASSIVE)');
    }
    writer[Symbol.dispose]();
    using later = Catalog.open(place.path);
    later.write(() => setKey(later, 'later', '1'));
    assert.equal(keysOf(reader).length, 4);
    assert.deepEqual(reader.integrityErrors(), []);
  });

  test('reads a log that a crash has left, from a copy that is gone afterwards', async () => {
    await using place = await catalogPlace();
    using scratch = ownTemporaryFolder(dirname(place.path));
    const crashed = join(dirname(place.path), 'crashed.sqlite');
    {
      using writer = Catalog.create(place.path);
      writer.write(() => setKey(writer, 'committed', '1'));
      for (const suffix of ['', '-wal']) fs.copyFileSync(place.path + suffix, crashed + suffix);
    }
    {
      using reader = Catalog.open(crashed, { readOnly: true });
      assert.deepEqual(keysOf(reader), ['committed']);
      assert.equal(scratch.entries().length, 1);
      assert.throws(() => reader.write(() => setKey(reader, 'lost', '1')), { code: 'READ_ONLY' });
    }
    assert.deepEqual(scratch.entries(), []);
    assert.equal(fs.existsSync(`${crashed}-shm`), false);
  });
});
