import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { projectDirectory } from '../../scripts/project.ts';
import { Workplace } from '../command/varve.ts';

const execute = promisify(execFile);

/** Why nothing can be attached here; false where it can. */
export const attachSkip: string | false = reason();

function reason(): string | false {
  if (process.geteuid?.() !== 0) return 'only root may mount';
  if (!existsSync('/dev/fuse')) return 'there is no /dev/fuse';
  return existsSync('/dev/loop-control') ? false : 'there are no loop devices';
}

/*
 * A mount namespace of our own: other tests make namespaces, too, and each would begin with a copy of our mounts, which then
 * would stay in use until it ends. It counts for this thread, and for the processes that it starts. Source: unshare(2).
 */
if (attachSkip === false) {
  const CLONE_NEWNS = 0x20000;
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const unshare = koffi.load(null).func('int unshare(int flags)');
  if (unshare(CLONE_NEWNS) !== 0) throw new Error(`unshare failed with errno ${koffi.errno()}`);
  execFileSync('mount', ['--make-rprivate', '/']);
}

/** What `varve list --attached --json` tells of a disk. */
export interface ListedAttachment {
  readonly disk: string;
  readonly path: string;
  readonly file: string;
  readonly access: string;
  readonly size: number;
  readonly holder: number;
  readonly loops: readonly { readonly path: string; readonly offset: number }[];
  readonly mounts: readonly { readonly directory: string; readonly type: string }[];
}

/** A workplace with attached disks of its own, all of which are gone after the test. */
export class AttachPlace {
  readonly work: Workplace;
  /** Apart from the workplace's, which is removed while disks are still mounted here. */
  readonly directory = mkdtempSync(join(tmpdir(), 'varve-'));

  constructor(t: TestContext) {
    this.work = new Workplace(t);
    process.env.VARVE_RUN = this.path('run');
    mkdirSync(this.path('mnt'));
    t.after(async () => {
      await this.#detachAll();
      rmSync(this.directory, { recursive: true, force: true });
    });
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Runs `varve ARGS`, which must succeed in silence on standard error, and gives what it prints. */
  varve(...args: string[]): Promise<string> {
    return this.work.varve(...args);
  }

  async attached(): Promise<ListedAttachment[]> {
    return (await this.work.json('list', '--attached')) as ListedAttachment[];
  }

  /** Runs somebody else's program, and gives what it prints. */
  async program(name: string, ...args: string[]): Promise<string> {
    const env = { ...process.env, LC_ALL: 'C', PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
    return (await execute(name, args, { env, cwd: this.directory, maxBuffer: 2 ** 26 })).stdout;
  }

  /** A sparse file of `size` bytes, or a qcow2 disk of that size. */
  async disk(name: string, size: number): Promise<string> {
    const path = this.path(name);
    if (name.endsWith('.qcow2')) await this.program('qemu-img', 'create', '-q', '-f', 'qcow2', path, String(size));
    else await this.program('truncate', '-s', String(size), path);
    return path;
  }

  /** Not by way of the workplace, which is gone by then. */
  async #detachAll(): Promise<void> {
    const varve = join(projectDirectory, 'varve');
    const { stdout } = await execute(varve, ['list', '--attached', '--json'], { cwd: '/' });
    for (const { file } of JSON.parse(stdout) as ListedAttachment[]) {
      await execute(varve, ['detach', file, '--force'], { cwd: '/' });
    }
  }
}
