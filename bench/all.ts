/** Runs every benchmark that has targets, one after the other, and sums up. `npm run bench all` */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatTable } from '../src/command/output/format-table.ts';
import { formatFigure, formatLimit, type Report, verdict } from './runner/report.ts';
import { workDirectory } from './runner/work-directory.ts';

const names = [
  'import',
  'import-again',
  'import-sparse',
  'next-version',
  'clone',
  'list',
  'read',
  'export',
  'start',
  'formats',
  'write',
  'sparsify',
  'transaction',
  'inside',
];

const results = join(workDirectory, 'results');
mkdirSync(results, { recursive: true });
const rows: string[][] = [];
for (const name of names) {
  const json = join(results, `${name}.json`);
  const command = [join(import.meta.dirname, `${name}.ts`), '--json', json, ...process.argv.slice(2)];
  const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' });
  if (status !== 0) {
    rows.push([name, '', '', '', 'failed']);
    process.exitCode = 1;
    continue;
  }
  const { targets } = JSON.parse(readFileSync(json, 'utf8')) as Report;
  for (const target of targets) {
    rows.push([name, target.what, formatFigure(target), formatLimit(target), verdict(target)]);
  }
}
console.log(
  formatTable(
    ['', '', 'figure', 'target', ''].map((title) => ({ title })),
    rows,
  ),
);
