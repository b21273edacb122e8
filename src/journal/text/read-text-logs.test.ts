import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { guestOf, writeRoot } from '../../../test/inspect/guest-root.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import type { VarveError } from '../../base/varve-error.ts';
import { textOf } from '../log-entry.ts';
import { readTextLogs } from './read-text-logs.ts';

describe('readTextLogs', { skip: skipWithout('mke2fs') }, () => {
  test('reads rotated and compressed files in the order of time, with the year and zone that they do not name', async (t) => {
    const guest = await guestOf(t, (directory) => {
      writeRoot(directory, {
        '/etc/localtime': { link: '/usr/share/zoneinfo/Europe/Berlin' },
        '/var/log/syslog.2.gz': gzipSync('Dec 30 23:00:00 web cron[7]: the oldest\n'),
        '/var/log/syslog.1': 'Dec 31 23:30:00 web sshd[12]: last year\nJan  1 00:10:00 web kernel: [1.5] this year\n',
        '/var/log/kern.log': 'Jan  1 00:10:00 web kernel: [1.5] this year\n',
        '/var/log/auth.log.3.zst': zstdCompressSync(
          '2024-01-01T00:20:00.250000+01:00 web su: pam: opened\n  indented\n',
        ),
        '/var/log/syslog': 'Jul  1 12:00:00 web app: summer\n',
        '/var/log/other': 'Jul  1 12:00:00 web app: not a log that is known\n',
      });
      const written = (name: string, date: string) =>
        fs.utimesSync(join(directory, 'var/log', name), new Date(date), new Date(date));
      written('syslog.2.gz', '2023-12-31T00:00:00Z');
      written('syslog.1', '2024-01-01T00:00:00Z');
      written('kern.log', '2024-01-01T00:00:00Z');
      written('auth.log.3.zst', '2024-01-02T00:00:00Z');
      written('syslog', '2024-07-01T10:00:01Z');
    });
    const lines = await readTextLogs(guest.tree, assert.fail);
    assert.deepEqual(
      lines.map((line) => [
        new Date(line.realtime / 1000).toISOString(),
        textOf(line, 'SYSLOG_IDENTIFIER'),
        textOf(line, 'SYSLOG_PID'),
        textOf(line, 'MESSAGE'),
      ]),
      [
        ['2023-12-30T22:00:00.000Z', 'cron', '7', 'the oldest'],
        ['2023-12-31T22:30:00.000Z', 'sshd', '12', 'last year'],
        ['2023-12-31T23:10:00.000Z', 'kernel', undefined, '[1.5] this year'],
        ['2023-12-31T23:20:00.250Z', 'su', undefined, 'pam: opened\n  indented'],
        ['2024-07-01T10:00:00.000Z', 'app', undefined, 'summer'],
      ],
    );
  });

  test('says which file is damaged, and reads the others', async (t) => {
    const guest = await guestOf(t, {
      '/var/log/syslog': '2024-01-01T00:00:00Z web app: fine\n',
      '/var/log/syslog.1.gz': gzipSync('x'.repeat(1000)).subarray(0, 20),
      '/var/log/messages': new Uint8Array(1000),
    });
    const problems: VarveError[] = [];
    const lines = await readTextLogs(guest.tree, (problem) => problems.push(problem));
    assert.deepEqual(
      lines.map((line) => textOf(line, 'MESSAGE')),
      ['fine'],
    );
    assert.match(problems.map(({ message }) => message).join(), /^cannot read all of \/var\/log\/syslog\.1\.gz: /);
  });
});
