import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../../src/base/varve-error.ts';
import type { GuestFile } from '../../src/guest/guest-tree.ts';
import { FilePages } from '../../src/journal/binary/file-pages.ts';
import { JournalFile } from '../../src/journal/binary/journal-file.ts';
import { mergeJournals } from '../../src/journal/binary/merge-journals.ts';
import { Workplace } from '../command/varve.ts';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from './require-tool.ts';

const remote = '/lib/systemd/systemd-journal-remote';
const hasRemote = fs.existsSync(remote) || 'systemd-journal-remote is not installed';
const skip = skipWithout('journalctl', 'mke2fs') || (hasRemote === true ? false : hasRemote);
const machine = '0123456789abcdef0123456789abcdef';
const directory = `/var/log/journal/${machine}`;

/** What is asked of both programs; the first few show all there is. */
const allOptions = [
  ['-r'],
  ['-o', 'verbose'],
  ['-o', 'export'],
  ['-u', 'cron', '-n', '30'],
  [],
  ['-o', 'short-iso'],
  ['-o', 'cat'],
  ['-u', 'ssh', '-p', 'err'],
  ['-p', 'warning..notice', '-n', '7'],
  ['-g', 'message 1', '-r', '-n', '5'],
  ['--since', '2024-01-01 02:00:30', '--until', '2024-01-01 03:00:10'],
  ['-k', '-b', '1'],
  ['-b', '-1'],
  ['-b', '2', '-t', 'cron'],
  ['_PID=102', '_PID=104', 'PRIORITY=2'],
  ['-a', '-n', '40'],
  ['-u', 'nothing'],
];

interface Sample {
  readonly boot: number;
  /** In microseconds after the start of the year 2024. */
  readonly time: number;
  readonly fields: readonly (readonly [name: string, value: string | Uint8Array])[];
}

/** Entries as journals have them: plain, long, of several lines, coloured, binary, twice the same field, without a message. */
function samples(boot: number, count: number): Sample[] {
  const oddities: Sample['fields'][] = [
    [['MESSAGE', 'two\nlines\n\nand a third']],
    [['MESSAGE', '\x1b[1;31mred\x1b[0m and \ttab']],
    [['MESSAGE', Uint8Array.of(1, 2, 3, 0xff)]],
    [['MESSAGE', 'bell \x07 rings']],
    [['MESSAGE', `long ${'and longer '.repeat(200)}`]],
    [['MESSAGE', 'x'.repeat(6000)]],
    [['MESSAGE', '']],
    [['MESSAGE', 'Größe — 大きさ']],
    [['CODE_FILE', 'no message.c']],
    [
      ['MESSAGE', 'twice'],
      ['GROUP', 'one'],
      ['GROUP', 'other'],
      ['BINARY', Uint8Array.of(0, 10, 200)],
    ],
  ];
  return Array.from({ length: count }, (_, index) => {
    const odd = oddities[index % 17];
    const unit = index % 3 === 0 ? 'ssh.service' : 'cron.service';
    const fields: Sample['fields'] = [
      ['_HOSTNAME', 'web'],
      ['SYSLOG_IDENTIFIER', unit.slice(0, -8)],
      ['PRIORITY', String(index % 8)],
      ['_TRANSPORT', index % 5 === 0 ? 'kernel' : 'syslog'],
      ['_SYSTEMD_UNIT', unit],
      ...(index % 2 === 0 ? [['_PID', String(100 + (index % 50))] as const] : []),
      ...(index % 4 === 0 ? [['_SOURCE_REALTIME_TIMESTAMP', String(1_704_000_000_000_000 + index)] as const] : []),
      ...(odd ?? [['MESSAGE', `message ${index} of boot ${boot}`]]),
    ];
    return { boot, time: boot * 3_600_000_000 + index * 1_300_000, fields };
  });
}

function exported(entries: readonly Sample[]): Uint8Array {
  const parts = entries.flatMap(({ boot, fields, time }) => {
    const start = 1_704_067_200_000_000;
    const head = `__REALTIME_TIMESTAMP=${start + time}\n__MONOTONIC_TIMESTAMP=${time % 3_600_000_000}\n_BOOT_ID=${String(boot).repeat(32)}\n`;
    const body = fields.flatMap(([name, value]) => {
      const bytes = Buffer.from(value);
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(bytes.length));
      return [Buffer.from(`${name}\n`), length, bytes, Buffer.from('\n')];
    });
    return [Buffer.from(head), ...body, Buffer.from('\n')];
  });
  return Buffer.concat(parts);
}

/** A disk with journals in it, each made by systemd’s own program of some entries; and a directory with the same files. */
async function makeDisk(
  place: Workplace,
  journals: Readonly<Record<string, readonly Sample[]>>,
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const root = join(place.directory, 'root');
  const files = join(root, directory);
  fs.mkdirSync(files, { recursive: true });
  for (const [name, entries] of Object.entries(journals)) {
    execFileSync(remote, ['--split-mode=none', '-o', join(files, `${name}.journal`), '-'], {
      input: exported(entries),
      env: { ...process.env, ...env },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
  }
  await pack(place, root);
  return files;
}

async function pack(place: Workplace, root: string): Promise<void> {
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', root, join(place.directory, 'disk.raw'), '96M']);
}

function judge(files: string, ...args: string[]): Buffer {
  const env = { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8' };
  return execFileSync('journalctl', ['-D', files, '--no-pager', ...args], { env, maxBuffer: 1 << 28 });
}

/** Like `assert.equal`, and shows no more than the first line that differs. */
function assertSameLines(actual: string, expected: string, what: string): void {
  const [one, other] = [actual.split('\n'), expected.split('\n')];
  const place = other.findIndex((line, index) => line !== one[index]);
  if (place >= 0) assert.equal(one[place]?.slice(0, 200), other[place]!.slice(0, 200), `${what}, line ${place}`);
  assert.equal(one.length, other.length, what);
  assert.ok(actual === expected, what);
}

function jsonLines(text: string): unknown[] {
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
}

describe('varve journal', { skip }, () => {
  for (const [name, env] of Object.entries({
    compact: {},
    plain: { SYSTEMD_JOURNAL_COMPACT: '0', SYSTEMD_JOURNAL_KEYED_HASH: '0', SYSTEMD_JOURNAL_COMPRESS: '0' },
  })) {
    test(`shows what journalctl does, of several ${name} files`, async (t) => {
      const place = new Workplace(t);
      const two = [...samples(1, 150), ...samples(3, 60)];
      const files = await makeDisk(place, { system: two, 'user-1000': samples(2, 100) }, env);
      for (const options of name === 'plain' ? allOptions.slice(0, 4) : allOptions) {
        const { status, stderr, stdout } = await place.run(['journal', './disk.raw', ...options]);
        assert.deepEqual({ status, stderr }, { status: 0, stderr: '' }, options.join(' '));
        assertSameLines(stdout, judge(files, ...options).toString(), options.join(' '));
      }
      const { stdout } = await place.run(['journal', './disk.raw', '-o', 'json']);
      assert.deepEqual(jsonLines(stdout), jsonLines(judge(files, '-o', 'json').toString()));
      const all = await place.json('journal', './disk.raw', '-a');
      assert.deepEqual(all, jsonLines(judge(files, '-o', 'json', '-a').toString()));
      assert.deepEqual(
        (await place.json('journal', './disk.raw', '--list-boots')).map(({ id, index }: Record<string, unknown>) => [
          index,
          id,
        ]),
        [1, 2, 3].map((boot) => [boot - 3, String(boot).repeat(32)]),
      );
    });
  }

  test('reads a file that was cut off or damaged as far as it is sound, and says so', async (t) => {
    const place = new Workplace(t);
    const files = await makeDisk(place, { system: samples(1, 3000) });
    const path = join(files, 'system.journal');
    const whole = fs.readFileSync(path);
    fs.writeFileSync(path, whole.subarray(0, 4_200_000));
    await pack(place, join(place.directory, 'root'));
    const { status, stderr, stdout } = await place.run(['journal', './disk.raw', '--json']);
    assert.match(stderr, /system\.journal is damaged, and read as far as it is sound: /);
    assert.equal(status, 10);
    const count = JSON.parse(stdout).length;
    assert.ok(count > 50 && count < 3000, String(count));
    fs.writeFileSync(path, 'no journal at all');
    await pack(place, join(place.directory, 'root'));
    assert.match((await place.run(['journal', './disk.raw', '--source', 'journal'])).stderr, /system\.journal/);
  });

  test('ends with whatever was written over a journal, and invents nothing', async (t) => {
    const place = new Workplace(t);
    const files = await makeDisk(place, { system: samples(1, 60) });
    const whole = fs.readFileSync(join(files, 'system.journal'));
    const content = whole.subarray(0, whole.findLastIndex((byte) => byte !== 0) + 1);
    // The tables of hashes fill most of it, and nobody reads them.
    const objects = content.length - 60_000;
    const damage = fc.record({
      at: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: objects, max: content.length - 9 })),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 30 }), async (damages) => {
        const bytes = Buffer.from(content);
        for (const { at, bytes: other } of damages) bytes.set(other, at);
        try {
          const journal = await JournalFile.open(new FilePages().open(fileOf(bytes)), () => {});
          assert.ok(journal.entryCount <= 100);
          for await (const { fields } of mergeJournals([journal], false)) assert.ok(fields.length <= 1024);
        } catch (error) {
          assert.ok(isVarveError(error, 'CORRUPT', 'UNSUPPORTED'), String(error));
        }
      }),
      { numRuns: 150 },
    );
  });
});

/** A file of a guest with these bytes; nothing else of it is there. */
function fileOf(bytes: Uint8Array): GuestFile {
  const read = async (_node: number, target: Uint8Array, offset: number) => {
    const part = bytes.subarray(offset, offset + target.length);
    target.set(part);
    return part.length;
  };
  const given = { path: '/journal', node: 1, kind: 'file', stat: { size: bytes.length }, fileSystem: { read } };
  return given as unknown as GuestFile;
}
