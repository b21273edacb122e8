/** `npm run bench [NAME]`: runs bench/NAME.ts with what it compares with installed; lists the names without one. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { developmentEnvironment, projectDirectory } from './project.ts';

process.exitCode = bench(process.argv.slice(2));

function bench([name, ...options]: string[]): number {
  const directory = join(projectDirectory, 'bench');
  if (name === undefined || !existsSync(join(directory, `${name}.ts`))) {
    if (name !== undefined) console.error(`There is no benchmark ${name}.`);
    const names = readdirSync(directory).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
    console.log(
      ['npm run bench NAME, with one of these:', ...names.map((file) => `  ${file.slice(0, -3)}`)].join('\n'),
    );
    return name === undefined ? 0 : 2;
  }
  return runNode('scripts/setup.mjs', 'bench') || runNode(`bench/${name}.ts`, ...options);
}

function runNode(...command: string[]): number {
  const options = { cwd: projectDirectory, env: developmentEnvironment(), stdio: 'inherit' } as const;
  return spawnSync(process.execPath, command, options).status ?? 1;
}
