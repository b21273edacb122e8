import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { isInside } from '../../../format/inside-directory.ts';
import type { DiskRequest } from './driver-request.ts';

/** How a driver's process is kept from everything but its disk. */
export interface Confinement {
  /** The program to run, and its arguments before the module. */
  readonly command: readonly string[];
  readonly userId: number | undefined;
  /** What is done, in words, for the log. */
  readonly description: string;
}

/** Users that nobody has; systemd takes them for services of its own, too. Source: systemd.exec(5), DynamicUser. */
const firstUserId = 61184;
const userCount = 4336;

let prefixes: { readonly command: readonly string[]; readonly names: readonly string[] } | undefined;
let driverCount = 0;

/**
 * What this machine lets us do: namespaces by `unshare`, no way to new privileges by `setpriv`, another user where this
 * one is root, and Node's permission model for the files that the disk is in.
 */
export function confinement(request: DiskRequest): Confinement {
  prefixes ??= findPrefixes();
  const isRoot = process.getuid?.() === 0;
  driverCount += 1;
  const userId = isRoot ? firstUserId + ((process.pid + driverCount) % userCount) : undefined;
  const names = [...prefixes.names, ...(userId === undefined ? [] : [`user ${userId}`]), 'permissions of Node'];
  return {
    command: [...prefixes.command, process.execPath, ...permissions(request)],
    userId,
    description: names.join(', '),
  };
}

function findPrefixes(): NonNullable<typeof prefixes> {
  const isRoot = process.getuid?.() === 0;
  const some = ['--net', '--ipc', '--uts', ...(isRoot ? [] : ['--user', '--map-current-user'])];
  const all = [...some, '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const command: string[] = [];
  const names: string[] = [];
  const flags = [all, some].find((each) => works(['unshare', ...each, 'true']));
  if (flags !== undefined) {
    command.push('unshare', ...flags, '--');
    names.push(`namespaces ${flags === all ? 'net, ipc, uts, mount, pid' : 'net, ipc, uts'}${isRoot ? '' : ', user'}`);
  }
  if (works(['setpriv', '--no-new-privs', 'true'])) {
    command.push('setpriv', '--no-new-privs', '--');
    names.push('no new privileges');
  }
  return { command, names };
}

function works([program = '', ...args]: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

/** Node reads the program and the disk, and writes the disk where it is to be written. */
function permissions({ allowed, follow, path, writable }: DiskRequest): string[] {
  const readable = follow ? ['*'] : [...programDirectories(), '/proc', '/sys', path, ...allowed.map(real)];
  // What is written in place is not compressed.
  const unpacked = writable ? [] : [unpackDirectory()];
  const written = writable ? [path, ...allowed.map(real)] : unpacked;
  return [
    '--permission',
    // koffi, for the system calls that Node lacks, and threads, for bzip2.
    '--allow-addons',
    '--allow-worker',
    '--disable-warning=SecurityWarning',
    ...outermost([...readable, ...unpacked]).map((each) => `--allow-fs-read=${each}`),
    ...outermost(follow && writable ? ['*'] : written).map((each) => `--allow-fs-write=${each}`),
  ];
}

/** Without those inside others: Node 24 denies a directory itself where something inside it is named, too. */
function outermost(paths: readonly string[]): string[] {
  return paths.filter((path) => !paths.some((other) => other !== path && isInside(other, path)));
}

/** Where compressed disks are unpacked to. */
function unpackDirectory(): string {
  return process.env.TMPDIR ?? '/var/tmp';
}

/** Whether anybody may read the files of this program. */
export function isProgramReadable(): boolean {
  for (let path = import.meta.filename; ; path = dirname(path)) {
    const { mode } = fs.statSync(path);
    if ((mode & (path === import.meta.filename ? 0o4 : 0o1)) === 0) return false;
    if (path === '/') return true;
  }
}

/** This program, and what it depends on. */
function programDirectories(): string[] {
  const root = resolve(import.meta.dirname, '../../../..');
  const dependency = createRequire(import.meta.url).resolve('koffi');
  const modules = dependency.slice(0, dependency.lastIndexOf('/node_modules/') + '/node_modules'.length);
  return [...new Set([join(root, 'src'), join(root, 'dist'), join(root, 'package.json'), modules, real(modules)])];
}

function real(path: string): string {
  try {
    return fs.realpathSync(path);
  } catch {
    return dirname(path) === path ? path : join(real(dirname(path)), path.slice(dirname(path).length));
  }
}
