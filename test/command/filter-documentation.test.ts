import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectDirectory } from '../../scripts/project.ts';
import { filterNames } from '../../src/image/filters/filter-names.ts';
import { parseFilters } from '../../src/image/filters/parse-filters.ts';

test('docs/filters.md has an example of each filter, and every one can be', () => {
  const page = fs.readFileSync(join(projectDirectory, 'docs/filters.md'), 'utf8');
  const examples = page.split('\n').filter((line) => line.startsWith('    varve '));
  const shown = new Set<string>();
  for (const example of examples) {
    const specs = [...example.matchAll(/--filter (\S+)/g)].map(([, spec = '']) => spec);
    parseFilters(specs, { report() {} });
    for (const spec of specs) shown.add(spec.split('=')[0]!);
  }
  assert.deepEqual(
    filterNames.map(({ name }) => name).filter((name) => !shown.has(name)),
    [],
  );
  for (const { name } of filterNames) assert.ok(page.includes(`**\`${name}`), name);
});

test('what a filter takes begins with its name', () => {
  for (const { name, usage } of filterNames) assert.ok(usage.startsWith(name), usage);
});
