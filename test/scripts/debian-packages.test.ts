import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectDirectory } from '../../scripts/project.ts';
import { parsePackages } from '../../scripts/setup/debian-packages.mjs';

test('debian-packages.txt names a command, known purposes and a use for each package', () => {
  const packages = parsePackages(readFileSync(join(projectDirectory, 'scripts/setup/debian-packages.txt'), 'utf8'));
  assert.ok(packages.length > 3);
  for (const { name, command, purposes, use } of packages) {
    assert.match(name, /^[a-z0-9][a-z0-9.+-]+$/);
    assert.match(command, /^(?:[\w.-]+|\/[\w./-]+)$/);
    assert.ok(use.length > 10, `${name} has no use`);
    for (const purpose of purposes)
      assert.ok(['start', 'test', 'netboot', 'bench'].includes(purpose), `${name}: ${purpose}`);
  }
});

/** Runs the installation of one package with an apt-get that does as `script` says, and gives what it printed. */
function installWith(script: string): { output: string; installed: boolean; calls: string } {
  const directory = mkdtempSync(join(tmpdir(), 'varve-'));
  try {
    const aptGet = `#!/bin/sh\necho "$*" >> '${directory}/calls'\n${script.replaceAll('DIRECTORY', directory)}\n`;
    writeFileSync(join(directory, 'apt-get'), aptGet, { mode: 0o755 });
    const module = join(projectDirectory, 'scripts/setup/debian-packages.mjs');
    const wanted = { name: 'made-up', command: 'made-up-command', purposes: ['test'], use: 'to be missing' };
    const program = `import { installDebianPackages } from '${module}';
      installDebianPackages('test', [${JSON.stringify(wanted)}]);
      installDebianPackages('bench', [${JSON.stringify(wanted)}]);`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
      env: { ...process.env, PATH: `${directory}:${process.env.PATH}` },
      encoding: 'utf8',
    });
    const read = (name: string) => spawnSync('cat', [join(directory, name)], { encoding: 'utf8' }).stdout;
    return { output: stdout + stderr, installed: read('made-up-command') !== '', calls: read('calls') };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const isRoot = process.getuid?.() === 0;

test('a missing Debian package is installed, the lists first', { skip: !isRoot && 'needs root' }, () => {
  const command = "printf '#!/bin/sh\\n' > DIRECTORY/made-up-command; chmod +x DIRECTORY/made-up-command";
  const { output, installed, calls } = installWith(`case "$*" in *install*) ${command} ;; esac`);
  assert.ok(installed);
  assert.match(calls, / update .*\n.* install .*--no-install-recommends made-up\n$/);
  assert.equal(output, 'setup: installing Debian packages: made-up …\n');
});

test('a Debian package that cannot be installed is tried twice and named', { skip: !isRoot && 'needs root' }, () => {
  const { output, calls } = installWith("echo 'E: no network' >&2; exit 100");
  assert.equal(calls.trim().split('\n').length, 2);
  assert.match(output, /apt-get update failed: E: no network/);
  assert.match(
    output,
    /going on without made-up \(to be missing\); .*apt-get install --no-install-recommends made-up\n/,
  );
});

test('who is not root is told what is missing', { skip: isRoot && 'needs another user than root' }, () => {
  const { output, calls } = installWith('exit 0');
  assert.equal(calls, '');
  assert.match(
    output,
    /going on without made-up \(to be missing\); .*apt-get install --no-install-recommends made-up\n/,
  );
});
