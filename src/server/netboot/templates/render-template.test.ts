import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import type { TemplateKind } from '../room/room.ts';
import { checkTemplates } from './check-templates.ts';
import { renderTemplate } from './render-template.ts';
import { templateArguments } from './template-arguments.ts';
import { problemText } from './template-problem.ts';
import type { TemplateValues } from './template-values.ts';

const directory = mkdtempSync(join(tmpdir(), 'varve-'));
after(() => rmSync(directory, { recursive: true }));
const secretFile = join(directory, 'root-password');
writeFileSync(secretFile, '$6$hunter2\n');

function valuesWith(variables: Record<string, string>): TemplateValues {
  return {
    machine: { name: 'alice', mac: '52:54:00:12:34:56', address: '10.9.0.20', uuid: undefined },
    server: { address: '10.9.0.1', url: 'http://10.9.0.1' },
    variables,
    secrets: { root: secretFile },
  };
}

function render(kind: TemplateKind, text: string, variables: Record<string, string> = {}) {
  const file = join(directory, 'template');
  writeFileSync(file, text);
  const { files, problems } = renderTemplate({ kind, file }, valuesWith(variables));
  return {
    text: files.find(({ path }) => path === file)?.text,
    problems: problems.map((each) => problemText(each).replace(file, 'file')),
    files,
  };
}

interface GoodCase {
  readonly name: string;
  readonly kind: TemplateKind;
  readonly text: string;
  readonly variables?: Record<string, string>;
  readonly gives: string;
}

const good: readonly GoodCase[] = [
  {
    name: 'names of a machine, in a preseed',
    kind: 'preseed',
    text: 'd-i netcfg/get_hostname string {{ machine.name }}\n# {{machine.mac}} {{ server.address }} {{server.url}}\n',
    gives: 'd-i netcfg/get_hostname string alice\n# 52:54:00:12:34:56 10.9.0.1 http://10.9.0.1\n',
  },
  {
    name: 'a secret and what a shell would obey, where no shell reads it',
    kind: 'preseed',
    text: 'd-i passwd/root-password-crypted password {{ secret.root }}\n',
    gives: 'd-i passwd/root-password-crypted password $6$hunter2\n',
  },
  {
    name: 'quotes where a shell reads it, over joined lines too',
    kind: 'preseed',
    text: 'd-i preseed/late_command string \\\n  echo {{ variables.role | shell }} > /target/role\n',
    variables: { role: "it's $(reboot)" },
    gives: "d-i preseed/late_command string \\\n  echo 'it'\\''s $(reboot)' > /target/role\n",
  },
  {
    name: 'a template of braces',
    kind: 'preseed',
    text: 'd-i preseed/late_command string docker inspect -f \\{{.Name}} x\n',
    gives: 'd-i preseed/late_command string docker inspect -f {{.Name}} x\n',
  },
  {
    name: 'words in a kickstart',
    kind: 'kickstart',
    text: 'rootpw --iscrypted {{ secret.root }}\n%packages\n@core\n%end\n%post\necho {{ variables.role | base64 }}\n%end\n',
    variables: { role: 'a\nb' },
    gives: 'rootpw --iscrypted $6$hunter2\n%packages\n@core\n%end\n%post\necho YQpi\n%end\n',
  },
  {
    name: 'a MAC address that YAML 1.1 takes for a number',
    kind: 'cloud-init',
    text: '#cloud-config\nmac: {{ machine.mac }}\nhostname: {{ machine.name }}\n',
    gives: '#cloud-config\nmac: "52:54:00:12:34:56"\nhostname: "alice"\n',
  },
  {
    name: 'every kind of text in YAML',
    kind: 'cloud-init',
    text: '#cloud-config\na: "{{ variables.x }}"\nb: \'{{ variables.x }}\'\nc:\n  - |\n    {{ variables.x }}\nn: {{ variables.n | literal }}\n',
    variables: { x: 'a "b" \'c\' # d: \\e', n: '42' },
    gives:
      "#cloud-config\na: \"a \\\"b\\\" 'c' # d: \\\\e\"\nb: 'a \"b\" ''c'' # d: \\e'\nc:\n  - |\n    a \"b\" 'c' # d: \\e\nn: 42\n",
  },
  {
    name: 'words of a shell in YAML',
    kind: 'cloud-init',
    text: '#cloud-config\nruncmd:\n  - echo {{ variables.x | shell }}\n  - "echo {{ variables.x | shell }}"\n',
    variables: { x: 'a"$b' },
    gives: '#cloud-config\nruncmd:\n  - echo \'a"$b\'\n  - "echo \'a\\"$b\'"\n',
  },
  {
    name: 'lines below a |',
    kind: 'cloud-init',
    text: '#cloud-config\nca_certs:\n  - |\n    {{ variables.pem }}\n',
    variables: { pem: 'BEGIN\nxyz\nEND' },
    gives: '#cloud-config\nca_certs:\n  - |\n    BEGIN\n    xyz\n    END\n',
  },
  {
    name: 'an autoinstall as media have it',
    kind: 'autoinstall',
    text: 'version: 1\nidentity:\n  hostname: {{ machine.name }}\n',
    gives: '#cloud-config\nautoinstall:\n  version: 1\n  identity:\n    hostname: "alice"\n',
  },
  {
    name: 'an autoinstall as cloud-init has it',
    kind: 'autoinstall',
    text: '#cloud-config\nautoinstall:\n  version: 1\n',
    gives: '#cloud-config\nautoinstall:\n  version: 1\n',
  },
  {
    name: 'strings and numbers of JSON',
    kind: 'ignition',
    text: '{"ignition": {"version": "3.4.0"}, "storage": {"files": [{"path": "/x", "mode": {{ variables.mode }}, "contents": {"source": "data:,{{ variables.role | uri }}"}, "x": "{{ variables.role }}"}]}}',
    variables: { mode: '420', role: 'a "b"\n' },
    gives:
      '{"ignition": {"version": "3.4.0"}, "storage": {"files": [{"path": "/x", "mode": 420, "contents": {"source": "data:,a%20%22b%22%0A"}, "x": "a \\"b\\"\\n"}]}}',
  },
  {
    name: 'a script for cloud-init',
    kind: 'cloud-init',
    text: '#!/bin/sh\necho {{ variables.role | shell }} "\\{{"\n',
    variables: { role: '$x' },
    gives: '#!/bin/sh\necho \'$x\' "{{"\n',
  },
];

for (const { gives, kind, name, text, variables } of good) {
  test(`a template of kind ${kind} takes ${name}`, () => {
    const rendered = render(kind, text, variables);
    assert.deepEqual(rendered.problems, []);
    assert.equal(rendered.text, gives);
  });
}

const bad: readonly (Omit<GoodCase, 'gives'> & { readonly says: RegExp })[] = [
  {
    name: 'a name that is none',
    kind: 'preseed',
    text: '#\n#{{ machine.nmae }}',
    says: /^file:2: there is no machine\.nmae .*machine\.name/,
  },
  {
    name: 'a variable of other machines',
    kind: 'preseed',
    text: '{{ variables.x }}',
    says: /^file:1: there is no variables\.x/,
  },
  {
    name: 'a name that every object has',
    kind: 'preseed',
    text: '{{ variables.constructor }}',
    says: /^file:1: there is no/,
  },
  {
    name: 'braces that name nothing',
    kind: 'preseed',
    text: '#\n\n{{ foo }}',
    says: /^file:3: there is no \{\{ name \}\}/,
  },
  {
    name: 'braces that do not end',
    kind: 'preseed',
    text: '#{{ machine.name\n}}',
    says: /^file:1: there is no \{\{ name \}\}/,
  },
  {
    name: 'a filter that is none',
    kind: 'preseed',
    text: '#{{ machine.name | eval }}',
    says: /^file:1: there is no filter eval/,
  },
  {
    name: 'a new line in a value',
    kind: 'preseed',
    text: 'a b string {{ variables.x }}',
    variables: { x: 'a\nd-i x/y string z' },
    says: /^file:1: the value of variables\.x has more than one line/,
  },
  {
    name: 'a command in a value',
    kind: 'preseed',
    text: 'd-i preseed/late_command string echo "{{ variables.x }}"',
    variables: { x: '$(reboot)' },
    says: /^file:1: .*\| shell/,
  },
  {
    name: 'quotes in quotes',
    kind: 'preseed',
    text: 'd-i preseed/late_command string echo "{{ variables.x | shell }}"',
    variables: { x: '$(reboot)' },
    says: /^file:1: .*in quotes/,
  },
  {
    name: 'an unknown type of question',
    kind: 'preseed',
    text: '#\nd-i a/b srting c',
    says: /^file:2: a\/b has a type/,
  },
  { name: 'a line of two words', kind: 'preseed', text: '#\nd-i a/b', says: /^file:2: a line has to have/ },
  { name: 'a boolean that is none', kind: 'preseed', text: 'd-i a/b boolean yes', says: /^file:1: .*true or false/ },
  {
    name: 'two words for one',
    kind: 'kickstart',
    text: 'timezone {{ variables.x }}',
    variables: { x: 'a --b' },
    says: /^file:1: .*\| shell/,
  },
  {
    name: 'a section without an end',
    kind: 'kickstart',
    text: 'text\n%post\necho\n',
    says: /^file:2: %post has no %end/,
  },
  {
    name: 'a section in a section',
    kind: 'kickstart',
    text: '%post\n%packages\n%end\n',
    says: /^file:1: %post has no %end before %packages/,
  },
  {
    name: 'a section that is none',
    kind: 'kickstart',
    text: '%psot\n%end\n',
    says: /^file:1: there is no section %psot/,
  },
  {
    name: 'what is no YAML',
    kind: 'cloud-init',
    text: '#cloud-config\na: [1\nb: 2\n',
    says: /^file:\d: this is no YAML/,
  },
  { name: 'a tab', kind: 'cloud-init', text: '#cloud-config\na:\n\tb: 2\n', says: /^file:3: this is no YAML/ },
  { name: 'no header', kind: 'cloud-init', text: 'a: 1\n', says: /^file:1: it does not begin with #cloud-config/ },
  {
    name: "Jinja's templates",
    kind: 'cloud-init',
    text: '## template: jinja\n#cloud-config\n',
    says: /^file:1: Jinja/,
  },
  {
    name: 'a value that becomes a comment',
    kind: 'cloud-init',
    text: '#cloud-config\na: x {{ variables.x }}\n',
    variables: { x: 'b # c' },
    says: /^file: the value of variables\.x would mean something in YAML/,
  },
  {
    name: 'a value that becomes a map',
    kind: 'cloud-init',
    text: '#cloud-config\na: [b {{ variables.x }}]\n',
    variables: { x: 'c, d: e' },
    says: /would mean something in YAML/,
  },
  {
    name: 'a text for a number',
    kind: 'cloud-init',
    text: '#cloud-config\na: {{ variables.x | literal }}\n',
    variables: { x: 'c' },
    says: /^file:2: .*no number/,
  },
  {
    name: 'an autoinstall without a version',
    kind: 'autoinstall',
    text: '#cloud-config\nautoinstall: {}\n',
    says: /version: 1/,
  },
  {
    name: 'what is no JSON',
    kind: 'ignition',
    text: '{\n"ignition": {"version": "3.4.0"},\n}',
    says: /^file:3: this is no JSON/,
  },
  { name: 'JSON without a version', kind: 'ignition', text: '{"ignition": {}}', says: /ignition\.version/ },
  {
    name: 'a text outside of quotes',
    kind: 'ignition',
    text: '{"ignition": {"version": {{ variables.x }}}}',
    variables: { x: '"3.4.0"' },
    says: /^file:1: .*outside of a string/,
  },
];

for (const { kind, name, says, text, variables } of bad) {
  test(`a template of kind ${kind} refuses ${name}`, () => {
    const { files, problems } = render(kind, text, variables);
    assert.match(problems.join('\n'), says);
    assert.deepEqual(
      files.filter(({ path }) => path.endsWith('template')),
      [],
    );
  });
}

test('no value of YAML becomes anything else than that text', () => {
  const text =
    '#cloud-config\na: {{ variables.x }}\nb: "- {{ variables.x }}"\nc: \'{{ variables.x }}\'\nd: [x, p{{ variables.x }}]\n';
  const value = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: fc.constantFrom(...' \n:#\'"-[]{},&*!|>%@\\ab1') }),
  );
  fc.assert(
    fc.property(value, (x) => {
      const rendered = render('cloud-init', text, { x });
      if (rendered.text === undefined) return;
      assert.deepEqual(parse(rendered.text, { version: '1.1' }), { a: x, b: `- ${x}`, c: x, d: ['x', `p${x}`] });
    }),
    { numRuns: 300 },
  );
});

test('no value of JSON becomes anything else than that text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (x) => {
      const rendered = render('ignition', '{"ignition": {"version": "3.4.0"}, "x": "\\"{{ variables.x }}"}', { x });
      assert.deepEqual(JSON.parse(rendered.text!), { ignition: { version: '3.4.0' }, x: `"${x}` });
    }),
    { numRuns: 200 },
  );
});

test('a template never throws, and never tells a secret', () => {
  const word = fc.constantFrom(
    '{{ secret.root }}',
    '{{ secret.root',
    ' ',
    '\n',
    ': ',
    '"',
    "'",
    '#cloud-config\n',
    '- ',
    '{',
    '}',
    '[',
    '%post\n',
    'd-i a/b string ',
    '\\',
    '| shell',
    '&a ',
    '*a ',
    '!!x ',
    '{{ secret.root | shell }}',
  );
  const kinds = fc.constantFrom<TemplateKind>('preseed', 'kickstart', 'cloud-init', 'autoinstall', 'ignition');
  fc.assert(
    fc.property(kinds, fc.array(word, { maxLength: 12 }), (kind, words) => {
      const { problems } = render(kind, words.join(''));
      assert.doesNotMatch(problems.join('\n'), /hunter2/);
    }),
    { numRuns: 500 },
  );
});

test('checkers see a word in place of a secret', () => {
  const { files } = render('preseed', 'd-i a/b password {{ secret.root }}\n');
  assert.equal(files[0]!.shownText, 'd-i a/b password secret\n');
});

test('a secret whose file is missing is told by its name, without a value', () => {
  const file = join(directory, 'template');
  writeFileSync(file, '{{ secret.gone }}');
  const values = { ...valuesWith({}), secrets: { gone: '/nonexistent/secret' } };
  const { problems } = renderTemplate({ kind: 'preseed', file }, values);
  assert.match(problemText(problems[0]!), /:1: cannot read the file of secret gone: no such file/);
});

test('cloud-init gets a meta-data, and what stands beside the user-data', () => {
  const { files } = render('cloud-init', '#cloud-config\n');
  assert.deepEqual(
    files.map(({ name }) => name),
    ['user-data', 'meta-data'],
  );
  assert.match(files[1]!.text, /instance-id: "52:54:00:12:34:56"\nlocal-hostname: "alice"/);
  writeFileSync(join(directory, 'network-config'), 'version: 2\nethernets: {}\n');
  assert.deepEqual(
    render('cloud-init', '#cloud-config\n').files.map(({ name }) => name),
    ['user-data', 'meta-data', 'network-config'],
  );
  writeFileSync(join(directory, 'network-config'), 'ethernets: {}\n');
  assert.match(render('cloud-init', '#cloud-config\n').problems.join(), /network-config: there is no version/);
  rmSync(join(directory, 'network-config'));
});

test('before machines are switched on, their addresses count as known, and each problem is told once', async () => {
  const file = join(directory, 'check.cfg');
  const machine = { name: 'alice', mac: '52:54:00:12:34:56', address: undefined, uuid: undefined };
  const use = (name: string) => ({
    template: { kind: 'kickstart', file } as const,
    values: { ...valuesWith({}), machine: { ...machine, name } },
  });
  writeFileSync(file, '# {{ machine.address }} {{ machine.uuid }}\ntext\n');
  assert.deepEqual(await checkTemplates([use('a'), use('b')]), []);
  writeFileSync(file, 'text\n%post\n');
  assert.deepEqual(await checkTemplates([use('a'), use('b')]), [{ path: file, line: 2, message: '%post has no %end' }]);
  assert.match(problemText(renderTemplate(use('a').template, use('a').values).problems[0]!), /check\.cfg:2: /);
});

test('kernels are told where a template is', () => {
  const told = (kind: TemplateKind) => templateArguments(kind, 'http://10.9.0.1/template/x/');
  assert.equal(told('preseed'), 'auto=true priority=critical preseed/url=http://10.9.0.1/template/x/preseed.cfg');
  assert.equal(told('kickstart'), 'inst.ks=http://10.9.0.1/template/x/kickstart.cfg');
  assert.equal(told('autoinstall'), 'autoinstall ds=nocloud-net;s=http://10.9.0.1/template/x/');
  assert.equal(told('cloud-init'), 'ds=nocloud;s=http://10.9.0.1/template/x/');
  assert.match(
    told('ignition'),
    /^ignition\.config\.url=\S+\/config\.ign ignition\.firstboot ignition\.platform\.id=metal$/,
  );
});
