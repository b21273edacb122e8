import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pattern } from '../../src/conformance/device-content.ts';
import type { ExpectedFile } from '../../src/conformance/file-system-sample.ts';
import type { FileKind, Timestamp } from '../../src/filesystem/file-system.ts';

const run = promisify(execFile);

/** What a sample tree may have in it, by what the file system can keep and whoever runs the test may make. */
export interface SampleTreeOptions {
  /** Symlinks, hard links, FIFOs, sockets, modes, owners. */
  readonly unix?: boolean;
  /** Block and character devices, other owners: for root only. */
  readonly devices?: boolean;
  /** Files with holes in them. */
  readonly holes?: boolean;
  /** `user.` attributes and ACLs; setfattr and setfacl must be there. */
  readonly attributes?: boolean;
  /** Names that are not UTF-8, and long ones of 255 bytes. */
  readonly anyBytes?: boolean;
  /** How many files one directory gets. */
  readonly manyFiles?: number;
}

/** Fills `directory` with files of every kind that `options` allows. */
export async function makeSampleTree(directory: string, options: SampleTreeOptions): Promise<void> {
  const at = (...names: string[]) => join(directory, ...names);
  fs.mkdirSync(at('etc', 'deep', 'deeper', 'deepest'), { recursive: true });
  fs.mkdirSync(at('empty directory'));
  fs.writeFileSync(at('empty'), '');
  fs.writeFileSync(at('one'), '1');
  fs.writeFileSync(at('etc', 'os-release'), 'NAME="Sample"\n');
  fs.writeFileSync(at('etc', 'deep', 'deeper', 'deepest', 'Größe — 大きさ.txt'), 'names in UTF-8\n');
  for (const size of [59, 60, 61, 511, 512, 513, 4095, 4096, 4097, 70_000, 1_500_000]) {
    fs.writeFileSync(at(`file of ${size} bytes`), pattern(size, size));
  }
  fs.mkdirSync(at('many'));
  for (let index = 0; index < (options.manyFiles ?? 300); index++) {
    fs.writeFileSync(at('many', `file number ${index}`), `${index}`);
  }
  if (options.unix) makeUnixFiles(at);
  if (options.holes) makeHoles(at);
  if (options.anyBytes) makeStrangeNames(directory);
  if (options.devices) await makeDevices(at);
  if (options.attributes) await makeAttributes(at);
  fs.utimesSync(at('one'), 1_000_000_000.5, 1_234_567_890.25);
}

type At = (...names: string[]) => string;

function makeUnixFiles(at: At): void {
  fs.symlinkSync('one', at('link'));
  fs.symlinkSync('x'.repeat(59), at('link of 59'));
  fs.symlinkSync('y'.repeat(60), at('link of 60'));
  fs.symlinkSync(`/${'long/'.repeat(200)}`, at('long link'));
  fs.linkSync(at('file of 4097 bytes'), at('etc', 'second name'));
  fs.linkSync(at('file of 4097 bytes'), at('third name'));
  fs.chmodSync(at('one'), 0o4751);
  fs.chmodSync(at('etc', 'deep'), 0o1777);
  fs.chmodSync(at('empty'), 0);
}

function makeHoles(at: At): void {
  const file = fs.openSync(at('with holes'), 'w');
  for (const place of [0, 100_000, 1_000_000, 30_000_000, 39_995_123])
    fs.writeSync(file, pattern(5000, place), 0, 5000, place);
  fs.closeSync(file);
  fs.writeFileSync(at('only a hole'), '');
  fs.truncateSync(at('only a hole'), 5_000_000);
}

function makeStrangeNames(directory: string): void {
  const bytes = (...parts: (string | number[])[]) =>
    Buffer.concat([Buffer.from(`${directory}/`), ...parts.map((part) => Buffer.from(part as string))]);
  fs.writeFileSync(bytes([0xff, 0xfe, 0x80, 0x41]), 'no UTF-8');
  fs.writeFileSync(bytes('n'.repeat(255)), 'a long name');
  fs.writeFileSync(bytes('new\nline and "quotes" and \\'), 'odd');
}

async function makeDevices(at: At): Promise<void> {
  await run('mknod', [at('block'), 'b', '8', '17']);
  await run('mknod', [at('character'), 'c', '260', '70000']);
  await run('mkfifo', [at('fifo')]);
  fs.chownSync(at('etc', 'os-release'), 70_000, 4_000_000_000);
}

async function makeAttributes(at: At): Promise<void> {
  await run('setfattr', ['-n', 'user.short', '-v', 'value', at('one')]);
  await run('setfattr', ['-n', 'user.empty', at('one')]);
  await run('setfattr', ['-n', 'user.long', '-v', 'v'.repeat(700), at('file of 512 bytes')]);
  await run('setfattr', ['-n', 'user.of a directory', '-v', '0x00ff00', at('etc')]);
  await run('setfacl', ['-m', 'u:1000:rw,g:50:r', at('file of 4096 bytes')]);
  await run('setfacl', ['-d', '-m', 'u:1000:rwx', at('etc')]);
}

/** What a tree on this machine holds, as a file system made from it has to show it. `keeps` says what to compare. */
export function expectedTree(directory: string, keeps: { unix: boolean; times: boolean }): ExpectedFile[] {
  const files: ExpectedFile[] = [];
  const visit = (prefix: Buffer) => {
    const path = Buffer.concat([Buffer.from(directory), Buffer.from('/'), prefix]);
    for (const name of fs.readdirSync(path, { encoding: 'buffer' })) {
      const inner = Buffer.concat(prefix.length === 0 ? [name] : [prefix, Buffer.from('/'), name]);
      const file = expectedFile(directory, inner, keeps);
      files.push(file);
      if (file.kind === 'directory') visit(inner);
    }
  };
  visit(Buffer.alloc(0));
  return files;
}

function expectedFile(directory: string, path: Buffer, keeps: { unix: boolean; times: boolean }): ExpectedFile {
  const whole = Buffer.concat([Buffer.from(`${directory}/`), path]);
  const stat = fs.lstatSync(whole, { bigint: true });
  const kind = kindOf(stat);
  const rdev = Number(stat.rdev);
  return {
    ...{ path, kind },
    ...(kind === 'file' && { content: fs.readFileSync(whole) }),
    ...(kind === 'symlink' && { target: fs.readlinkSync(whole, { encoding: 'buffer' }) }),
    ...(kind !== 'directory' && stat.nlink > 1n && { sameAs: Number(stat.ino) }),
    stat: {
      ...(keeps.unix && { mode: Number(stat.mode & 0o7777n), uid: Number(stat.uid), gid: Number(stat.gid) }),
      ...(keeps.unix && kind !== 'directory' && { links: Number(stat.nlink) }),
      ...(keeps.times && { modified: timestampOf(stat.mtimeNs) }),
      ...((kind === 'block' || kind === 'character') && {
        device: { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) },
      }),
    },
  };
}

function kindOf(stat: fs.BigIntStats): FileKind {
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isBlockDevice()) return 'block';
  if (stat.isCharacterDevice()) return 'character';
  if (stat.isFIFO()) return 'fifo';
  return stat.isSocket() ? 'socket' : 'file';
}

function timestampOf(nanoseconds: bigint): Timestamp {
  const rest = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { seconds: Number((nanoseconds - rest) / 1_000_000_000n), nanoseconds: Number(rest) };
}
