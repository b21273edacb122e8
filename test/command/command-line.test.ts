import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { projectDirectory } from '../../scripts/project.ts';
import { exitStatuses } from '../../src/base/exit-status.ts';
import { catalogue } from '../../src/command/catalogue.ts';
import { bashScript } from '../../src/command/completion/bash-script.ts';
import { Workplace } from './varve.ts';

const listed = catalogue.filter((entry) => entry.group !== undefined);

test('--version prints the version of the package', async (t) => {
  const place = new Workplace(t);
  const { version } = JSON.parse(readFileSync(join(projectDirectory, 'package.json'), 'utf8'));
  assert.equal(await place.varve('--version'), version);
  assert.equal(await place.varve('-V'), version);
});

test('--help lists every command in its group, once', async (t) => {
  const place = new Workplace(t);
  const help = await place.varve('--help');
  assert.equal(await place.varve('help'), help);
  for (const { name, group, summary } of listed) {
    assert.equal(help.split(`  ${summary}\n`).length, 2, name);
    assert.match(help, new RegExp(`\n${group}:\n(  .*\n)*  ${name} `));
  }
  assert.ok(
    help.split('\n').every((line) => line.length <= 80),
    'fits a terminal',
  );
  assert.match(await place.fails(2), /which command\?/);
});

test('every command has help, with an example, and takes --json', async (t) => {
  const place = new Workplace(t);
  await Promise.all(
    listed.map(async ({ name }) => {
      const help = await place.varve(name, '--help');
      assert.match(help, new RegExp(`^Usage: varve ${name} `));
      assert.match(help, /\nExamples:\n {2}.*\bvarve /);
      assert.match(help, / --json /);
    }),
  );
  assert.equal(await place.varve('help', 'clone'), await place.varve('--help', 'clone'));
});

test('options of every command may stand before its name or behind', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  const env = { VARVE_STORE: '/nonexistent' };
  const before = await place.run(['--store', place.store, '--json', 'list'], { env });
  assert.equal((await place.run(['list', '--json', `--store=${place.store}`], { env })).stdout, before.stdout);
  assert.equal(JSON.parse(before.stdout).length, 1);
});

test("the store is in the user's data directory where nothing names another", async (t) => {
  const place = new Workplace(t);
  const hint = async (env: NodeJS.ProcessEnv) =>
    (await place.run(['list'], { env: { VARVE_STORE: '', ...env } })).stderr;
  assert.match(await hint({ HOME: '/home/nobody' }), / \/home\/nobody\/\.local\/share\/varve /);
  assert.match(await hint({ XDG_DATA_HOME: '/srv/data' }), / \/srv\/data\/varve /);
});

test('-v tells what happened on the way to an error', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  const { status, stdout, stderr } = await place.run(['-v', 'log', 'nope']);
  assert.deepEqual({ status, stdout }, { status: 3, stdout: '' });
  assert.match(stderr, /^varve: there is no image nope.*\n(.*\n)* +at /);
});

test('complete proposes commands, options, choices, images and their snapshots', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  await place.addImage('web-db');
  await place.varve('snapshot', 'web', '-m', 'Über alles', '--tag', 'v1');
  const complete = async (...words: string[]) => (await place.varve('complete', '--', ...words)).split('\n');
  assert.deepEqual(await complete('li'), ['list\tlist the images of the store', ':36']);
  assert.deepEqual(await complete('nope', ''), [':36']);
  assert.deepEqual(await complete('list', '--sort', 't'), ['time\t', ':36']);
  assert.deepEqual(await complete('list', '--sort=t'), ['--sort=time\t', ':36']);
  assert.deepEqual(await complete('rename', 'web-'), ['web-db\tImage web-db', ':36']);
  assert.deepEqual(await complete('diff', 'web', 'web@'), [
    'web@2\tÜber alles',
    'web@v1\tÜber alles',
    'web@1\tImage web',
    ':32',
  ]);
  assert.deepEqual(await complete('describe', '-m', 'a b', 'web@v'), ['web@v1\tÜber alles', ':36']);
  assert.deepEqual(await complete('log', 'web@v'), ['web@v1\tÜber alles', ':32']);
  assert.deepEqual(await complete('rename', 'web@'), [':36']);
  assert.deepEqual(await complete('snapshot', 'web@'), [':32']);
  assert.deepEqual(await complete('clone', 'web', ''), [':36']);
  assert.deepEqual((await complete('info', 'w')).at(-1), ':32');
  assert.ok((await complete('prune', 'web', '--keep-d')).includes('--keep-daily\tthe same for days'));
  assert.deepEqual(await complete('--store', '/nonexistent', 'describe', 'w'), [':36']);
});

test('the completion of bash puts together the words that readline cut, and takes off what it keeps', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  await place.varve('snapshot', 'web');
  const reply = async (line: string, words: readonly string[], wordBreaks = '"\'@><=;|&(:') => {
    const program = `${bashScript}
COMP_WORDBREAKS=$1; COMP_LINE=$2; COMP_POINT=\${#2}; shift 2; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_varve_completion 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const varve = join(projectDirectory, 'varve');
    const args = ['--norc', '-c', program, 'bash', wordBreaks, line.replace(/^varve/, varve), varve, ...words];
    const { stdout } = await promisify(execFile)('bash', args, { env: { ...process.env, VARVE_STORE: place.store } });
    return stdout.trim().split('\n');
  };
  assert.deepEqual(await reply('varve lo', ['lo']), ['log']);
  assert.deepEqual(await reply('varve log w', ['log', 'w']), ['web']);
  assert.deepEqual(await reply('varve log web@', ['log', 'web', '@']), ['@2', '@1']);
  assert.deepEqual(await reply('varve log web@1', ['log', 'web', '@', '1']), ['@1']);
  assert.deepEqual(await reply('varve log web@', ['log', 'web@'], ' \t'), ['web@2', 'web@1']);
  assert.deepEqual(await reply('varve list --sort=t', ['list', '--sort', '=', 't']), ['time']);
  assert.deepEqual(await reply('varve log $(echo web) ', ['log', '$(echo web)', '']), ['']);
});

for (const shell of ['zsh', 'fish']) {
  test(`completion prints a script for ${shell} that calls varve complete`, async (t) => {
    assert.match(await new Workplace(t).varve('completion', shell), /varve complete -- /);
  });
}

test('completion knows no other shells', async (t) => {
  assert.match(await new Workplace(t).fails(2, 'completion', 'csh'), /bash, zsh, fish/);
});

test('docs/commands.md describes every command and names every option', async (t) => {
  const place = new Workplace(t);
  const page = readFileSync(join(projectDirectory, 'docs/commands.md'), 'utf8');
  const sections = new Map(page.split(/^### /m).map((section) => [section.split(/[ \n]/, 1)[0], section]));
  const common = sections.get('#') ?? '';
  await Promise.all(
    listed.map(async ({ name }) => {
      const section = sections.get(name);
      assert.ok(section, `there is a section for ${name}`);
      const help = await place.varve(name, '--help');
      const options = [...help.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map((match) => match[1] as string);
      const shared = new Set(['--message', '--file', '--date', '--store', '--json', '--verbose', '--help']);
      for (const option of options) assert.ok(shared.has(option) || section.includes(option), `${name} ${option}`);
    }),
  );
  for (const option of ['-m TEXT', '-F FILE', '--date', '--store', '--json', '-v', '-h']) {
    assert.ok(common.includes(option), option);
  }
});

test('docs/exit-status.md lists every code with its status', () => {
  const page = readFileSync(join(projectDirectory, 'docs/exit-status.md'), 'utf8');
  for (const [code, status] of Object.entries(exitStatuses)) {
    assert.match(page, new RegExp(`^\\| [\\d, ]*\\b${status}\\b[\\d, ]* \\| \`${code}\` \\|`, 'm'), code);
  }
});
