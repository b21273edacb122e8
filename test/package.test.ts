import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, suite, type TestContext, test } from 'node:test';
import { developmentEnvironment, projectDirectory } from '../scripts/project.ts';

/** What npm reports when it cannot reach the registry, which is no failure of the package. */
const networkErrors = /code (ENOTFOUND|EAI_AGAIN|ECONN\w+|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT)/;

function run(directory: string, command: string, ...options: string[]) {
  const settings = { cwd: directory, env: developmentEnvironment(), encoding: 'utf8' } as const;
  const { status, stdout, stderr, error } = spawnSync(command, options, settings);
  if (error) throw error;
  return { status, stdout, stderr };
}

function succeed(directory: string, command: string, ...options: string[]): string {
  const { status, stdout, stderr } = run(directory, command, ...options);
  assert.equal(status, 0, `${command} ${options.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

suite('the package', () => {
  const { version } = JSON.parse(readFileSync(join(projectDirectory, 'package.json'), 'utf8'));
  let directory = '';
  let consumer = '';
  let tarball = '';
  let files: string[] = [];
  let unreachable: string | undefined;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'varve-'));
    consumer = join(directory, 'consumer');
    mkdirSync(consumer);
    succeed(projectDirectory, 'node', 'scripts/setup.mjs', 'package');
    const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', directory];
    const [packed] = JSON.parse(succeed(projectDirectory, 'npm', ...pack));
    tarball = join(directory, packed.filename);
    files = packed.files.map(({ path }: { path: string }) => path);
    writeFileSync(join(consumer, 'package.json'), '{ "type": "module", "private": true }\n');
    const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', tarball];
    const { status, stderr } = run(consumer, 'npm', ...install);
    unreachable = networkErrors.exec(stderr)?.[1];
    if (unreachable === undefined) assert.equal(status, 0, stderr);
  });

  after(() => rmSync(directory, { recursive: true, force: true }));

  function isInstalled(context: TestContext): boolean {
    if (unreachable !== undefined) context.skip(`the npm registry is out of reach: ${unreachable}`);
    return unreachable === undefined;
  }

  test('holds what runs, its types and the documents, and no source or test', () => {
    const library = ['dist/main.js', 'dist/command/LICENSES.txt', 'dist/index.js', 'dist/index.d.ts'];
    const browser = ['dist/browser/index.js', 'dist/browser/index.d.ts', 'dist/browser/LICENSES.txt'];
    for (const needed of [...library, ...browser, 'README.md', 'LICENSE', 'CHANGELOG.md']) {
      assert.ok(files.includes(needed), `${needed} is missing`);
    }
    assert.deepEqual(
      files.filter((path) => /\.test\.|^(src|test|bench|scripts)\/|(?<!\.d)\.ts$/.test(path)),
      [],
    );
  });

  test('installs into an empty folder and runs', (context) => {
    if (!isInstalled(context)) return;
    const varve = (...options: string[]) => succeed(consumer, 'npx', '--no', '--', 'varve', ...options);
    assert.match(varve('--version'), new RegExp(`\\b${version}\\b`));
    writeDisk(join(consumer, 'disk.raw'));
    varve('--store', 'store', 'import', 'disk.raw', 'web');
    const [image] = JSON.parse(varve('--store', 'store', '--json', 'list'));
    assert.equal(image.name, 'web');
  });

  test('is a library whose types resolve, and which does the main job', (context) => {
    if (!isInstalled(context)) return;
    writeDisk(join(consumer, 'disk.raw'));
    writeFileSync(join(consumer, 'use.ts'), program);
    const types = join(projectDirectory, 'node_modules/@types');
    const strict = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'esnext', '--types', 'node'];
    succeed(consumer, 'tsc', ...strict, '--typeRoots', types, 'use.ts');
    succeed(consumer, 'node', 'use.ts');
    assert.deepEqual(readFileSync(join(consumer, 'again.raw')), readFileSync(join(consumer, 'disk.raw')));
    writeFileSync(join(consumer, 'misuse.ts'), "import { noSuchExport } from 'varve';\nexport { noSuchExport };\n");
    assert.match(run(consumer, 'tsc', ...strict, '--typeRoots', types, 'misuse.ts').stdout, /noSuchExport/);
  });

  test('has what browsers need, with types that want nothing of Node', (context) => {
    if (!isInstalled(context)) return;
    writeFileSync(join(consumer, 'page.ts'), page);
    const strict = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'esnext', '--lib', 'esnext,dom'];
    succeed(consumer, 'tsc', ...strict, '--types', '', 'page.ts');
    const script = `${page}\nif ((await look(new Blob([new Uint8Array(512)]))) !== 512) process.exit(1);\n`;
    writeFileSync(join(consumer, 'page-here.ts'), script);
    succeed(consumer, 'node', 'page-here.ts');
  });

  test('is as publint wants it', () => {
    succeed(projectDirectory, 'publint', 'run', tarball, '--strict');
  });

  test('tells an old Node in one line that it is too old', (context) => {
    const node = olderNode();
    if (node === undefined) return context.skip('there is no Node below 24 on this machine');
    const { status, stdout, stderr } = run(directory, node, join(projectDirectory, 'dist/main.js'), 'list');
    assert.deepEqual({ status, stdout }, { status: 69, stdout: '' });
    assert.match(stderr, /^varve: .*24.*\n$/);
  });
});

/** What somebody writes who has just installed the package. */
const program = `
import { exportDisk, importDisk, openDisk, openStore } from 'varve';

await using store = await openStore('library-store', { create: true });
await importDisk(store, 'disk.raw', { name: 'web' });
await using disk = await openDisk('web', { store });
await exportDisk(disk, 'again.raw');
`;

/** What somebody writes for a page. */
const page = `
import { openDisk } from 'varve/browser';

export async function look(file: Blob): Promise<number> {
  await using disk = await openDisk(file);
  return disk.device.size;
}
`;

/** Writes a disk of 4 MiB, half of it a hole. */
function writeDisk(path: string): void {
  const content = new Uint8Array(2 << 20).map((_, index) => index >> 3);
  writeFileSync(path, content);
  truncateSync(path, 2 * content.length);
}

/** A Node in `PATH` that is too old for varve. */
function olderNode(): string | undefined {
  const directories = (process.env.PATH ?? '').split(delimiter);
  return directories
    .map((directory) => join(directory, 'node'))
    .find((node) => {
      const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
      return stdout && Number(/^v(\d+)/.exec(stdout)?.[1]) < 24;
    });
}
