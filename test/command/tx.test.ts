import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { pattern } from '../../src/conformance/device-content.ts';
import { whyNoMount } from '../filesystem/mounted-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { endProcess } from '../process/end-process.ts';
import { Workplace } from './varve.ts';

const mebibyte = 2 ** 20;
const size = 4 * mebibyte;
/** What a command writes at an offset in mebibytes: through the address, so that no disk need be attached. */
const writing = (byte: string, at = 0, nbd = '$VARVE_NBD') =>
  `qemu-io -f raw -c 'write -P ${byte} ${at}M 64k' "${nbd}" > /dev/null`;
const skip = skipWithout('qemu-io');

async function images(t: TestContext, ...names: string[]): Promise<Workplace> {
  const place = new Workplace(t);
  fs.writeFileSync(join(place.directory, 'disk.raw'), pattern(size, 1));
  for (const name of names) await place.varve('import', './disk.raw', name);
  return place;
}

/** The byte at an offset, in mebibytes, of what an image holds now. */
async function byteAt(place: Workplace, image: string, at = 0): Promise<number> {
  const out = join(place.directory, 'out.raw');
  await place.varve('export', image, out, '--force');
  return fs.readFileSync(out)[at * mebibyte]!;
}

describe('varve tx', { skip }, () => {
  test('commits what a command did when it ends with 0, and nothing otherwise', async (t) => {
    const place = await images(t, 'web');
    assert.equal(await place.varve('tx', 'web', '-m', 'nginx', '--', 'sh', '-c', writing('0x41')), 'web@2 made');
    assert.equal(await byteAt(place, 'web'), 0x41);
    assert.match(await place.varve('log', 'web'), /nginx/);
    const failed = await place.run(['tx', 'web', '--', 'sh', '-c', `${writing('0x42')}; exit 7`]);
    assert.equal(failed.status, 7);
    assert.equal(await byteAt(place, 'web'), 0x41);
    const killed = await place.run(['tx', 'web', '--', 'sh', '-c', `${writing('0x42')}; kill -9 $$`]);
    assert.equal(killed.status, 137);
    assert.equal(await place.varve('tx', 'web', '--', 'true'), '');
    assert.deepEqual(JSON.parse(await place.varve('tx', 'list', '--json')), []);
    assert.equal(JSON.parse(await place.varve('log', 'web', '--json')).length, 2);
  });

  test('changes several images, or none', async (t) => {
    const place = await images(t, 'web', 'db');
    const both = `${writing('0x41')} && ${writing('0x42', 1, '$VARVE_NBD2')}`;
    assert.equal(await place.varve('tx', 'web', 'db', '--', 'sh', '-c', both), 'web@2 made\ndb@2 made');
    assert.deepEqual([await byteAt(place, 'web'), await byteAt(place, 'db', 1)], [0x41, 0x42]);
    // Somebody is quicker with one of them.
    const conflict = `${both}; '${process.cwd()}/varve' tx db -- sh -c "${writing('0x43', 2, '\\$VARVE_NBD')}"`;
    const { status, stderr } = await place.run([
      'tx',
      'web',
      'db',
      '--',
      'sh',
      '-c',
      conflict.replaceAll('0x41', '0x51'),
    ]);
    assert.equal(status, 5);
    assert.match(
      stderr,
      /db has moved on: db@2 was the newest, and now db@3 is, which changed 64 KiB \(64 KiB at 2 MiB\)/,
    );
    assert.deepEqual([await byteAt(place, 'web'), await byteAt(place, 'db', 2)], [0x41, 0x43]);
    assert.deepEqual(JSON.parse(await place.varve('tx', 'list', '--json')), []);
  });

  test('runs a command again that others were quicker than', async (t) => {
    const place = await images(t, 'web');
    const count = join(place.directory, 'count');
    const once = `echo >> '${count}'; if [ $(wc -l < '${count}') = 1 ]; then '${process.cwd()}/varve' tx web -- sh -c "${writing('0x43', 2, '\\$VARVE_NBD')}"; fi; ${writing('0x41')}`;
    const { status, stderr } = await place.run(['tx', 'web', '--retry', '2', '--', 'sh', '-c', once]);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /trying again/);
    assert.equal(fs.readFileSync(count, 'utf8').length, 2);
    assert.deepEqual([await byteAt(place, 'web'), await byteAt(place, 'web', 2)], [0x41, 0x43]);
  });

  test('lets serial transactions wait for each other, and names who holds them up', async (t) => {
    const place = await images(t, 'web');
    const begun = join(place.directory, 'begun');
    const first = place.run([
      'tx',
      'web',
      '--serial',
      '--',
      'sh',
      '-c',
      `touch '${begun}'; sleep 1; ${writing('0x41')}`,
    ]);
    while (!fs.existsSync(begun)) await setTimeout(20);
    const second = await place.run(['tx', 'web', '--serial', '--', 'sh', '-c', writing('0x42', 1)]);
    assert.equal(second.status, 0, second.stderr);
    assert.match(second.stderr, /waiting: web is in use: tx sh \(process \d+\)/);
    assert.equal((await first).status, 0);
    assert.deepEqual([await byteAt(place, 'web'), await byteAt(place, 'web', 1)], [0x41, 0x42]);
  });

  test('can be begun, written to, committed and rolled back by hand', async (t) => {
    const place = await images(t, 'web');
    const name = await place.varve('begin', 'web');
    assert.match(name, /^tx-[0-9a-f]{8}$/);
    const write = ['serve', `web@${name}`, '--run'];
    await place.varve(...write, `qemu-io -f raw -c 'write -P 0x41 0 64k' -c flush "$nbd" > /dev/null`);
    assert.notEqual(await byteAt(place, 'web'), 0x41);
    const [open] = JSON.parse(await place.varve('tx', 'list', '--json'));
    assert.deepEqual([open.name, open.disks[0].image, open.disks[0].baseNumber], [name, 'web', 1]);
    assert.equal(await place.varve('commit', name, '-m', 'by hand'), 'web@2 made');
    assert.equal(await byteAt(place, 'web'), 0x41);
    const other = await place.varve('begin', 'web');
    await place.varve('serve', `web@${other}`, '--run', `qemu-io -f raw -c 'write -P 0x42 0 64k' "$nbd" > /dev/null`);
    assert.match(await place.varve('rollback', other), /is gone; web is as it was/);
    assert.equal(await byteAt(place, 'web'), 0x41);
    const gone = await place.run(['commit', other]);
    assert.deepEqual([gone.status, gone.stderr.includes(`there is no transaction ${other}`)], [3, true]);
  });

  test('sets savepoints and goes back to them, by hand and while the command runs', async (t) => {
    const place = await images(t, 'web', 'db');
    const varve = `'${process.cwd()}/varve'`;
    const both = (byte: string): string => `${writing(byte)} && ${writing(byte, 0, '$VARVE_NBD2')}`;
    const script = `${both('0x41')} && ${varve} savepoint $VARVE_TX good && ${both('0x42')} && ${varve} rollback $VARVE_TX --to good`;
    const { status, stderr, stdout } = await place.run(['tx', 'web', 'db', '--', 'sh', '-c', script]);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^good\nrun-[0-9a-f]{8} is as it was at good\nweb@2 made\ndb@2 made\n$/);
    assert.deepEqual([await byteAt(place, 'web'), await byteAt(place, 'db')], [0x41, 0x41]);
    const name = await place.varve('begin', 'web');
    const write = (byte: string): string[] => [
      '--run',
      `qemu-io -f raw -c 'write -P ${byte} 0 64k' "$nbd" > /dev/null`,
    ];
    await place.varve('serve', `web@${name}`, ...write('0x43'));
    assert.equal(await place.varve('savepoint', name), '1');
    await place.varve('serve', `web@${name}`, ...write('0x44'));
    assert.deepEqual(JSON.parse(await place.varve('tx', 'list', '--json'))[0].savepoints, ['1']);
    assert.match(await place.fails(3, 'rollback', name, '--to', 'good'), /has no savepoint good; it has 1/);
    await place.varve('rollback', name, '--to', '1');
    await place.varve('commit', name);
    assert.equal(await byteAt(place, 'web'), 0x43);
  });

  test('sets savepoints of disks that are served, and goes back while nobody uses them', async (t) => {
    const place = await images(t, 'web', 'db');
    const varve = `'${process.cwd()}/varve'`;
    const name = await place.varve('begin', 'web', 'db');
    const script = [
      writing('0x43', 0, '$nbd'),
      `${varve} savepoint ${name} good`,
      writing('0x44', 0, '$nbd'),
      `${varve} rollback ${name} --to good`,
      `qemu-io -f raw -c 'read -P 0x43 0 64k' "$nbd" > /dev/null`,
      writing('0x45', 1, '$nbd'),
      // A client stays until its input ends.
      `mkfifo in; qemu-io -f raw "$nbd" < in > out & exec 3> in; echo 'read 0 512' >&3`,
      `while ! [ -s out ]; do sleep 0.1; done; ${varve} rollback ${name} --to good; echo $?; exec 3>&-; wait`,
    ].join(' && ');
    const { status, stderr, stdout } = await place.run(['serve', `web@${name}`, '--run', script]);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /good\n.*is as it was at good\n(.*\n)*6\n/);
    assert.match(stderr, /cannot take web back: 1 of its clients/);
    await place.varve('commit', name);
    assert.deepEqual([await byteAt(place, 'web'), await byteAt(place, 'web', 1)], [0x43, 0x45]);
  });

  test('of two that began with the same snapshot the first one to commit wins', async (t) => {
    const place = await images(t, 'web');
    const [one, two] = [await place.varve('begin', 'web'), await place.varve('begin', 'web')];
    for (const [name, byte] of [
      [one, '0x41'],
      [two, '0x42'],
    ]) {
      await place.varve(
        'serve',
        `web@${name}`,
        '--run',
        `qemu-io -f raw -c 'write -P ${byte} 0 64k' "$nbd" > /dev/null`,
      );
    }
    await place.varve('commit', two);
    const { status, stderr } = await place.run(['commit', one]);
    assert.equal(status, 5);
    assert.match(
      stderr,
      /web has moved on: web@1 was the newest, and now web@2 is, which changed 64 KiB \(64 KiB at 0 B\)/,
    );
    assert.equal(await byteAt(place, 'web'), 0x42);
    await place.varve('rollback', one);
  });

  test('works on a disk file, which is changed in one step or not at all', async (t) => {
    const place = await images(t);
    const disk = join(place.directory, 'disk.raw');
    await place.varve('tx', './disk.raw', '--', 'sh', '-c', writing('0x41'));
    assert.equal(fs.readFileSync(disk)[0], 0x41);
    const failed = await place.run(['tx', './disk.raw', '--', 'sh', '-c', `${writing('0x42')}; exit 3`]);
    assert.equal(failed.status, 3);
    assert.equal(fs.readFileSync(disk)[0], 0x41);
    assert.deepEqual(
      fs.readdirSync(place.directory).filter((name) => name.includes('tx-')),
      [],
    );
    execFileSync('qemu-img', ['convert', '-O', 'qcow2', disk, join(place.directory, 'disk.qcow2')]);
    await place.varve('tx', './disk.qcow2', '--', 'sh', '-c', writing('0x43'));
    execFileSync('qemu-io', ['-r', '-c', 'read -P 0x43 0 64k', join(place.directory, 'disk.qcow2')]);
  });

  test('changes several disk files, or none', async (t) => {
    const place = await images(t, 'web');
    fs.copyFileSync(join(place.directory, 'disk.raw'), join(place.directory, 'b.raw'));
    execFileSync('qemu-img', ['convert', '-O', 'qcow2', 'disk.raw', 'a.qcow2'], { cwd: place.directory });
    const both = (byte: string): string => `${writing(byte)} && ${writing(byte, 1, '$VARVE_NBD2')}`;
    const bytes = (): (number | undefined)[] => {
      execFileSync('qemu-img', ['convert', '-O', 'raw', 'a.qcow2', 'a.raw'], { cwd: place.directory });
      const read = (name: string): Buffer => fs.readFileSync(join(place.directory, name));
      return [read('a.raw')[0], read('b.raw')[mebibyte]];
    };
    assert.equal(await place.varve('tx', './a.qcow2', './b.raw', '--', 'sh', '-c', both('0x41')), '');
    assert.deepEqual(bytes(), [0x41, 0x41]);
    const failed = await place.run(['tx', './a.qcow2', './b.raw', '--', 'sh', '-c', `${both('0x42')}; exit 3`]);
    assert.equal(failed.status, 3);
    // Somebody else is quicker with one of them.
    const quicker = `${both('0x43')}; printf x | dd of=b.raw conv=notrunc status=none`;
    assert.match(await place.fails(5, 'tx', './a.qcow2', './b.raw', '--', 'sh', '-c', quicker), /b\.raw was changed/);
    assert.deepEqual(bytes(), [0x41, 0x41]);
    assert.match(await place.fails(2, 'tx', './a.qcow2', 'web', '--', 'true'), /web is in the store/);
    assert.match(await place.fails(2, 'tx', './b.raw', './b.raw', '--', 'true'), /named twice/);
    assert.equal(await place.varve('tx', 'recover', './a.qcow2'), './a.qcow2: nothing was cut off');
    const hidden = fs.readdirSync(place.directory).filter((name) => name.startsWith('.') || name.includes('.part-'));
    assert.deepEqual(hidden, []);
  });

  test('leaves nothing behind that a later one does not take away, when it is killed', async (t) => {
    const place = await images(t, 'web');
    const begun = join(place.directory, 'begun');
    const varve = join(process.cwd(), 'varve');
    const child = spawn(varve, ['tx', 'web', '--', 'sh', '-c', `${writing('0x41')}; touch '${begun}'; sleep 60`], {
      env: { ...process.env, VARVE_STORE: place.store },
      stdio: 'ignore',
    });
    while (!fs.existsSync(begun)) await setTimeout(20);
    await endProcess(child);
    assert.equal(JSON.parse(await place.varve('tx', 'list', '--json')).length, 1);
    await place.varve('tx', 'web', '--', 'sh', '-c', writing('0x42', 1));
    assert.deepEqual(JSON.parse(await place.varve('tx', 'list', '--json')), []);
    assert.notEqual(await byteAt(place, 'web'), 0x41);
    assert.equal(await byteAt(place, 'web', 1), 0x42);
    await place.varve('verify');
  });

  test('commits what a command has done that is told that it is enough', async (t) => {
    const place = await images(t, 'web');
    const begun = join(place.directory, 'begun');
    const run = { env: { VARVE_RUN: join(place.directory, 'run') } };
    const script = `${writing('0x41')}; trap '' TERM; touch '${begun}'; setsid sleep 100 & sleep 100`;
    const running = place.run(['tx', 'web', '--name', 'job', '--', 'sh', '-c', script], run);
    while (!fs.existsSync(begun)) await setTimeout(20);
    assert.equal((await place.run(['ok', 'job'], run)).status, 0);
    const { status, stderr, stdout } = await running;
    assert.deepEqual([status, stdout], [0, 'web@2 made\n'], stderr);
    assert.equal(await byteAt(place, 'web'), 0x41);
  });

  test('says what is wrong with how it is called', async (t) => {
    const place = await images(t, 'web');
    const cases: [args: string[], status: number, message: RegExp][] = [
      [['tx'], 2, /name the disks/],
      [['tx', 'web'], 2, /after --/],
      [['tx', 'nothing', '--', 'true'], 3, /nothing/],
      [['tx', 'web', 'web', '--', 'true'], 2, /web is named twice/],
      [['tx', 'web', '--', 'no-such-program'], 3, /cannot run no-such-program/],
      [['tx', 'nbd://localhost/', '--', 'true'], 2, /not for disks at addresses/],
      [['rollback', 'web'], 2, /is no transaction/],
    ];
    for (const [args, status, message] of cases) {
      const outcome = await place.run(args);
      assert.equal(outcome.status, status, `${args.join(' ')}: ${outcome.stderr}`);
      assert.match(outcome.stderr, message);
    }
    assert.deepEqual(JSON.parse(await place.varve('tx', 'list', '--json')), []);
  });

  describe('on a machine that can mount', { skip: whyNoMount('ext4') || skipWithout('mke2fs', 'e2fsck') }, () => {
    async function ext4Image(t: TestContext): Promise<Workplace> {
      const place = new Workplace(t);
      const disk = join(place.directory, 'disk.raw');
      execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', disk, '32M'], { stdio: 'pipe' });
      await place.varve('import', './disk.raw', 'web');
      fs.mkdirSync(join(place.directory, 'mnt'));
      return place;
    }

    async function contentOf(place: Workplace, file: string): Promise<string> {
      await place.varve('export', 'web', 'out.raw', '--force');
      const out = join(place.directory, 'out.raw');
      execFileSync('e2fsck', ['-fn', out], { stdio: 'pipe' });
      return execFileSync('debugfs', ['-R', `cat ${file}`, out], { encoding: 'utf8', stdio: 'pipe' });
    }

    test('shows the command a mounted file system, and the disk as a path', async (t) => {
      const place = await ext4Image(t);
      const script = 'echo "$VARVE_MOUNT $(stat -c %s "$VARVE_DISK")" > mnt/note';
      await place.varve('tx', 'web', '--mount', 'mnt', '--', 'sh', '-c', script);
      assert.equal(await contentOf(place, 'note'), `${join(place.directory, 'mnt')} ${32 * mebibyte}\n`);
      assert.deepEqual(fs.readdirSync(join(place.directory, 'mnt')), []);
      const failed = await place.run([
        'tx',
        'web',
        '--mount',
        'mnt',
        '--',
        'sh',
        '-c',
        'echo more >> mnt/note; exit 4',
      ]);
      assert.equal(failed.status, 4);
      assert.equal((await contentOf(place, 'note')).split('\n').length, 2);
    });

    test('commits only what the checkers call clean', async (t) => {
      const place = await ext4Image(t);
      fs.writeFileSync(join(place.directory, 'kept'), 'kept');
      const good = await place.run(['tx', 'web', '--check', '--', 'debugfs', '-w', '-R', 'write kept kept', '{}']);
      assert.equal(good.status, 0, good.stderr);
      const broken = 'dd if=/dev/urandom of="$VARVE_DISK" bs=1k seek=5 count=20 conv=notrunc status=none';
      const { status, stderr } = await place.run(['tx', 'web', '--check', '--', 'sh', '-c', broken]);
      assert.equal(status, 10);
      assert.match(stderr, /e2fsck finds web, \/dev\/sda wrong/);
      assert.equal(await contentOf(place, 'kept'), 'kept');
      assert.deepEqual(JSON.parse(await place.varve('tx', 'list', '--json')), []);
    });
  });
});
