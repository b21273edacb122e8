import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { projectDirectory } from '../../scripts/project.ts';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { ingestDevice } from '../../src/store/ingest-device.ts';
import { openStore } from '../../src/store/store.ts';

/** How a run of the command line ended. */
export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a run of the command line is given besides its arguments. */
export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
  /** Called when the process has been started. */
  readonly started?: (child: ChildProcess) => void;
}

/** A directory of its own, with a place for a store, where the command line is run as users run it. */
export class Workplace {
  readonly directory: string;
  readonly store: string;

  constructor(t: TestContext) {
    this.directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
    this.store = join(this.directory, 'store');
    t.after(() => fs.rmSync(this.directory, { recursive: true, force: true }));
  }

  /** Runs `varve ARGS` with this store. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const child = spawn(join(projectDirectory, 'varve'), args, {
      cwd: this.directory,
      env: { ...environment(), VARVE_STORE: this.store, ...options.env },
    });
    options.started?.(child);
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
      child.on('close', (...how) => resolve(how)),
    );
    const [stdout, stderr, [status, signal]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    return { status, signal, stdout, stderr };
  }

  /** Runs `varve ARGS`, which must succeed in silence on standard error. What it prints, without the last line end. */
  async varve(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(args);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' }, `varve ${args.join(' ')}`);
    return stdout.replace(/\n$/, '');
  }

  /** Runs `varve ARGS --json`, which must succeed. What it prints, read. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at whatever is there
  async json(...args: string[]): Promise<any> {
    return JSON.parse(await this.varve(...args, '--json'));
  }

  /** Runs `varve ARGS`, which must print nothing, fail with one line, and end with `status`. The line, without `varve: `. */
  async fails(status: number, ...args: string[]): Promise<string> {
    const outcome = await this.run(args);
    assert.deepEqual({ status: outcome.status, stdout: outcome.stdout }, { status, stdout: '' }, outcome.stderr);
    assert.match(outcome.stderr, /^varve: [^\n]+\n$/);
    return outcome.stderr.slice('varve: '.length, -1);
  }

  /** Puts an image into the store whose disk has `size` bytes, `fill` of them in every chunk that `chunks` lists. */
  async addImage(name: string, disk: Partial<DiskContent> = {}): Promise<void> {
    const { size, chunks, fill } = { size: 1024 * 1024, chunks: [0], fill: 1, ...disk };
    await using store = await openStore(this.store, { create: true });
    await using session = store.beginIngest(`import ${name}`);
    await using device = memoryDevice(size);
    for (const chunk of chunks) {
      const offset = chunk * 65536;
      await device.write(new Uint8Array(Math.min(4096, size - offset)).fill(fill), offset);
    }
    const content = await ingestDevice(session, device, {});
    const note = { message: `Image ${name}`, author: 'tester@host', time: Date.parse('2025-01-02T03:04:05Z') };
    const newest = store.images.find(name) && store.images.resolve(name);
    if (newest === undefined) store.edit.createImage(name, { ...note, content, parent: undefined });
    else store.edit.addSnapshot(name, { ...note, content, parent: newest });
  }

  /** Every file of the store and its content, to see that nothing was touched. */
  tree(): Record<string, string> {
    const entries = fs.readdirSync(this.store, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    const contents = files.map((path) => [path, fs.readFileSync(path, 'base64')] as const);
    // Two processes that close the catalog at the same moment may each leave taking its empty log away to the other.
    return Object.fromEntries(contents.filter(([path, content]) => !isEmptyLog(path, content)));
  }
}

/** A log that holds nothing, or its index, which says nothing by itself. */
function isEmptyLog(path: string, content: string): boolean {
  return path.endsWith('catalog.sqlite-shm') || (path.endsWith('catalog.sqlite-wal') && content === '');
}

interface DiskContent {
  readonly size: number;
  readonly chunks: readonly number[];
  readonly fill: number;
}

/** Nothing of whoever runs the tests: a user, a time zone and a store of their own. */
function environment(): NodeJS.ProcessEnv {
  const { VARVE_STORE: _store, XDG_DATA_HOME: _data, ...rest } = process.env;
  return { ...rest, VARVE_AUTHOR: 'tester@host', TZ: 'UTC', LC_ALL: 'C.UTF-8', NO_COLOR: '1' };
}
