import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { checkTemplates } from '../../src/server/netboot/templates/check-templates.ts';
import { renderTemplate } from '../../src/server/netboot/templates/render-template.ts';
import { problemText } from '../../src/server/netboot/templates/template-problem.ts';
import type { TemplateValues } from '../../src/server/netboot/templates/template-values.ts';
import { skipWithout } from './require-tool.ts';

const run = promisify(execFile);

function place(t: TestContext, text: string, variables: Record<string, string> = {}) {
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'template');
  const secret = join(directory, 'secret');
  fs.writeFileSync(file, text);
  fs.writeFileSync(secret, 'hunter2\n');
  const values: TemplateValues = {
    machine: { name: 'alice', mac: '52:54:00:12:34:56', address: '10.9.0.20', uuid: undefined },
    server: { address: '10.9.0.1', url: 'http://10.9.0.1' },
    ...{ variables, secrets: { root: secret } },
  };
  return { directory, file, values };
}

const preseed = `# for alice
d-i debian-installer/locale string en_US.UTF-8
d-i netcfg/get_hostname string {{ machine.name }}
d-i passwd/root-password password {{ secret.root }}
d-i passwd/user-default-groups string \\
  audio video {{ variables.role }}
tasksel tasksel/first multiselect standard
d-i preseed/late_command string in-target sh -c echo {{ variables.role | shell }}
`;

test('debconf takes a rendered preseed', { skip: skipWithout('debconf-set-selections') }, async (t) => {
  const { directory, file, values } = place(t, preseed, { role: "it's $(x)" });
  assert.deepEqual(await checkTemplates([{ template: { kind: 'preseed', file }, values }]), []);
  const rendered = join(directory, 'rendered');
  fs.writeFileSync(rendered, renderTemplate({ kind: 'preseed', file }, values).files[0]!.text);
  const { stderr } = await run('debconf-set-selections', ['-c', rendered]);
  assert.doesNotMatch(stderr, /error|skipping/);
  assert.match(fs.readFileSync(rendered, 'utf8'), /string in-target sh -c echo 'it'\\''s \$\(x\)'\n$/);
});

test('what debconf does not take, we do not either, at the same lines', {
  skip: skipWithout('debconf-set-selections'),
}, async (t) => {
  const lines = [
    'd-i a/b',
    'd-i a/b string',
    'd-i a/b srting x',
    'd-i',
    'd-i a/b seen true',
    '  # x',
    '\td-i a/b select x',
    'd-i a/b string \\',
    '  x',
  ];
  const { directory, file, values } = place(t, `${lines.join('\n')}\n`);
  const { problems } = renderTemplate({ kind: 'preseed', file }, values);
  const outcome = await run('debconf-set-selections', ['-c', join(directory, 'template')]).catch((error) => error);
  const theirs = [...outcome.stderr.matchAll(/^(?:error|warning): .*\bline (\d+)/gm)].map(([, line]) => Number(line));
  assert.ok(theirs.length >= 3, outcome.stderr);
  assert.deepEqual(
    problems.map(({ line }) => line),
    theirs,
  );
});

const judge = 'import sys, json, yaml; print(json.dumps([yaml.safe_load(text) for text in json.load(sys.stdin)]))';

test('what cloud-init reads YAML by has each value as the text that it is', {
  skip: skipWithout('python3'),
}, async (t) => {
  const template =
    '#cloud-config\na: {{ variables.x }}\nb: "{{ variables.x }}"\nc: \'{{ variables.x }}\'\nd: [q, {{ variables.x }}]\ne:\n  - |\n    {{ variables.x }}\n';
  const values = [
    '52:54:00:12:34:56',
    'no',
    '1e3',
    '0x10',
    '2026-01-01',
    '~',
    '*a',
    '&a b',
    'a: b',
    'a # b',
    '- a',
    '"',
    "'",
    '\\',
    'é\u{1f600}\u2028\u0085',
    '!!python/object',
    '{a}',
    '%',
    '@',
    '`',
    '12_3',
    '.inf',
    '=',
    '<<',
  ];
  const rendered: { readonly x: string; readonly text: string }[] = [];
  for (const x of values) {
    const { file, values: all } = place(t, template, { x });
    const { files, problems } = renderTemplate({ kind: 'cloud-init', file }, all);
    const [first] = problems;
    if (first === undefined) rendered.push({ x, text: files.find(({ path }) => path === file)!.text });
    else assert.match(problemText(first), /more than one line/, x);
  }
  assert.ok(rendered.length >= values.length - 1);
  const reading = run('python3', ['-c', judge], { encoding: 'utf8' });
  reading.child.stdin!.end(JSON.stringify(rendered.map(({ text }) => text)));
  const outcome = await reading.catch((error) => error);
  if (/No module named 'yaml'/.test(outcome.stderr)) return t.skip('python3-yaml is not installed');
  const read: unknown[] = JSON.parse(outcome.stdout);
  for (const [index, { x }] of rendered.entries()) {
    assert.deepEqual(read[index], { a: x, b: x, c: x, d: ['q', x], e: [`${x}\n`] }, x);
  }
});

const kickstart =
  'text\nrootpw --plaintext {{ secret.root }}\n%packages\n@core\n%end\n%post\necho {{ machine.name }}\n%end\n';

test('pykickstart takes a rendered kickstart, and says which line it does not', {
  skip: skipWithout('ksvalidator'),
}, async (t) => {
  const good = place(t, kickstart);
  assert.deepEqual(
    await checkTemplates([{ template: { kind: 'kickstart', file: good.file }, values: good.values }]),
    [],
  );
  const bad = place(t, `text\nrootpww x\n${kickstart.slice(5)}`);
  const problems = await checkTemplates([{ template: { kind: 'kickstart', file: bad.file }, values: bad.values }]);
  assert.match(problems.map(problemText).join('\n'), /:2: ksvalidator: .*rootpww/);
  assert.doesNotMatch(problems.map(problemText).join('\n'), /hunter2/);
});
