import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { missingOptionalPackages } from '../scripts/lock/completed-lock.ts';
import { habitProblems } from '../test/tidy/habits.ts';
import { importsOf } from '../test/tidy/imports.ts';
import { layeringProblems } from '../test/tidy/layers.ts';

const project = fileURLToPath(new URL('..', import.meta.url));

/** The TypeScript files below `directory`, relative to it. */
function sourcesIn(directory: string): { path: string; source: string }[] {
  const names = readdirSync(join(project, directory), { recursive: true, encoding: 'utf8' });
  const paths = names.filter((name) => name.endsWith('.ts'));
  return paths.map((path) => ({ path, source: readFileSync(join(project, directory, path), 'utf8') }));
}

test('imports point up the map of the code', () => {
  const sources = sourcesIn('src');
  assert.ok(sources.length > 10);
  assert.deepEqual(
    sources.flatMap(({ path, source }) => layeringProblems(path, source)),
    [],
  );
});

test('the map in ARCHITECTURE.md lists the folders of src/ and no other', () => {
  const rows = readFileSync(join(project, 'ARCHITECTURE.md'), 'utf8').matchAll(/^\| `(\w+)\/` \|/gm);
  const folders = readdirSync(join(project, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  assert.deepEqual([...rows].map(([, folder]) => folder).sort(), folders.map(({ name }) => name).sort());
});

test('the source keeps the habits that Biome does not know', () => {
  const found = ['src', 'test', 'bench', 'scripts'].flatMap((directory) =>
    sourcesIn(directory).flatMap(({ path, source }) => habitProblems(`${directory}/${path}`, source)),
  );
  assert.deepEqual(found, []);
});

test('package-lock.json has the optional packages of every platform and no registry (else run node scripts/complete-lock.ts)', () => {
  const text = readFileSync(join(project, 'package-lock.json'), 'utf8');
  assert.deepEqual(missingOptionalPackages(JSON.parse(text)), []);
  assert.doesNotMatch(text, /"resolved"/);
});

test('importsOf finds every way to import', () => {
  const source = `
import fs from 'node:fs';
import './side-effect.ts';
import type { A } from './type.ts';
import { type B, b } from "../named.ts";
import {
  c,
  d,
} from './several-lines.ts';
export { e } from './re-export.ts';
export * from './all.ts';
export type { F } from './type-re-export.ts';
const later = await import('./dynamic.ts');
type G = import('./type-query.ts').G;
new Worker(new URL('./worker.ts', import.meta.url));
const page = new URL('../page.md', import.meta.url);
export const from = 'elsewhere';
`;
  const expected = [
    ...['node:fs', './type.ts', '../named.ts', './several-lines.ts', './re-export.ts', './all.ts'],
    ...['./type-re-export.ts', './side-effect.ts', './dynamic.ts', './type-query.ts', './worker.ts'],
  ];
  assert.deepEqual(importsOf(source).sort(), expected.sort());
});

const layeringCases: [path: string, specifier: string, allowed: boolean][] = [
  ['block/file-device.ts', './checked-device.ts', true],
  ['block/file-device.ts', '../base/mutex.ts', true],
  ['block/file-device.ts', '../log/log.ts', true],
  ['block/file-device.ts', '../store/store.ts', false],
  ['base/mutex.ts', '../bytes/bitmap.ts', false],
  ['log/log.ts', '../bytes/bitmap.ts', false],
  ['filter/slice.ts', '../format/raw.ts', false],
  ['format/qcow2/header.ts', '../../filter/slice.ts', false],
  ['format/qcow2/header.ts', '../image-format.ts', true],
  ['format/qcow2/header.ts', '../../bytes/byte-reader.ts', true],
  ['store/store.ts', '../image/clone.ts', false],
  ['image/clone.ts', '../command/clone.ts', false],
  ['command/clone.ts', '../image/clone.ts', true],
  ['block/file-device.ts', '../conformance/block-device.ts', false],
  ['block/file-device.test.ts', '../conformance/block-device.ts', true],
  ['block/file-device.test.ts', '../filter/fault.ts', true],
  ['block/file-device.test.ts', '../store/store.ts', false],
  ['block/file-device.test.ts', '../../test/interop/require-tool.ts', true],
  ['block/file-device.ts', '../../test/interop/require-tool.ts', false],
  ['block/file-device.ts', '../index.ts', false],
  ['block/file-device.ts', '../../src/store/store.ts', false],
  ['block/file-device.ts', '../../src/base/mutex.ts', true],
  ['index.ts', './store/store.ts', true],
  ['helpers.ts', './base/mutex.ts', false],
  ['utils/strings.ts', './more-strings.ts', false],
];

for (const [path, specifier, allowed] of layeringCases) {
  test(`layering ${allowed ? 'lets' : 'forbids'} ${path} import ${specifier}`, () => {
    const problems = layeringProblems(path, `import type { A } from '${specifier}';\n`);
    assert.equal(problems.length, allowed ? 0 : 1, problems.join('\n'));
  });
}

test('habitProblems finds a second index and marks of unfinished work', () => {
  const mark = 'TO' + 'DO';
  assert.equal(habitProblems('src/block/index.ts', '').length, 1);
  assert.equal(habitProblems('src/index.ts', '').length, 0);
  assert.match(habitProblems('src/block/a.ts', `const a = 1;\n// ${mark}: later\n`)[0]!, /^src\/block\/a\.ts:2: /);
  assert.equal(habitProblems('src/block/a.ts', `// ${mark}(#12): when the kernel has it\n`).length, 0);
});

const lintCases: [rule: string, path: string, source: string][] = [
  ['style/noDefaultExport', 'src/base/a.ts', 'export default 1;\n'],
  ['style/useFilenamingConvention', 'src/base/Bad_name.ts', 'export const a = 1;\n'],
  ['style/noExcessiveLinesPerFile', 'src/base/long-file.ts', 'export {};\n'.repeat(401)],
  ['complexity/noExcessiveLinesPerFunction', 'src/base/b.ts', `export function b() {\n${'  b();\n'.repeat(61)}}\n`],
  ['correctness/useImportExtensions', 'src/base/c.ts', "export const c = await import('./a');\n"],
  ['performance/noBarrelFile', 'src/base/d.ts', "export { a } from './Bad_name.ts';\n"],
  ['nursery/noFloatingPromises', 'src/base/e.ts', 'async function e() {}\nexport function f() {\n  e();\n}\n'],
  ['suspicious/noImportCycles', 'src/base/g.ts', "import { h } from './h.ts';\nexport const g = () => h;\n"],
  ['suspicious/noImportCycles', 'src/base/h.ts', "import { g } from './g.ts';\nexport const h = () => g;\n"],
];

test('Biome keeps the rest of the habits, by the rules in biome.json', () => {
  const directory = mkdtempSync(join(tmpdir(), 'varve-'));
  try {
    cpSync(join(project, 'biome.json'), join(directory, 'biome.json'));
    for (const [, path, source] of lintCases) {
      mkdirSync(join(directory, dirname(path)), { recursive: true });
      writeFileSync(join(directory, path), source);
    }
    const biome = join(project, 'node_modules/.bin/biome');
    const options = ['lint', '--vcs-enabled=false', '--reporter=github', '--max-diagnostics=none'];
    const { stdout } = spawnSync(biome, options, { cwd: directory, encoding: 'utf8' });
    for (const [rule, path] of lintCases) {
      const found = stdout
        .split('\n')
        .some((line) => line.startsWith('::error') && line.includes(rule) && line.includes(path));
      assert.ok(found, `${rule} says nothing about ${path}:\n${stdout}`);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
