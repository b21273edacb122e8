import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectDirectory } from '../../scripts/project.ts';
import { atItsPlace, withBuiltins, withBuiltinsRequired } from '../../scripts/setup/command-bundle/rewrite-module.mjs';

test('a module in the bundle knows the place it has without it', () => {
  const text = 'new Worker(new URL(import.meta.url)); dirname(import.meta.filename); import.meta.urls;';
  const place = 'new URL("../../server/tftp/worker.js", import.meta.url)';
  assert.equal(
    atItsPlace(text, 'server/tftp/worker.js'),
    `new Worker(new URL(${place}.href)); ` +
      `dirname(process.getBuiltinModule('node:url').fileURLToPath(${place})); import.meta.urls;`,
  );
});

test("Node's own modules come from the process, by the names they are imported under", () => {
  const text = "import fs, {} from 'node:fs';\nimport { a, b as c } from 'node:os';\nimport { d } from './e.js';\n";
  const rewritten =
    "const fs = process.getBuiltinModule('node:fs');\nconst { a, b: c } = process.getBuiltinModule('node:os');\n";
  assert.equal(withBuiltins(text), `${rewritten}import { d } from './e.js';\n`);
  assert.equal(withBuiltinsRequired("require('node:fs')"), "globalThis.process.getBuiltinModule('node:fs')");
});

test('the source imports those in no other way', () => {
  const source = join(projectDirectory, 'src');
  const names = readdirSync(source, { recursive: true, encoding: 'utf8' });
  for (const name of names.filter((each) => each.endsWith('.ts') && !each.endsWith('.test.ts'))) {
    const text = readFileSync(join(source, name), 'utf8');
    for (const [statement] of text.matchAll(/^import (?!type )[^;]* from 'node:[^']+';/gm)) {
      assert.match(statement, /^import (\w+|\{[^}]*\}|\w+, \{[^}]*\}) from /, name);
      assert.doesNotMatch(statement, /^import \w+, \{(?!( type \w+,?)+ \})/, name);
    }
  }
});
