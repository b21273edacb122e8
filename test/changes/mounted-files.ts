import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';

/** What Linux says of each file below a directory, by path from there on: all that a diff may tell, in a text. */
export function mountedFiles(top: string): Map<string, Readonly<Record<string, string>>> {
  const attributes = attributesBelow(top);
  const files = new Map<string, Readonly<Record<string, string>>>();
  for (const name of ['', ...fs.readdirSync(top, { recursive: true, encoding: 'utf8' })]) {
    const path = join(top, name);
    const stat = fs.lstatSync(path);
    files.set(`/${name}`, {
      kind: String(stat.mode >> 12),
      content: contentOf(path, stat),
      mode: String(stat.mode & 0o7777),
      owner: `${stat.uid}:${stat.gid}`,
      attributes: attributes.get(name === '' ? '.' : name) ?? '',
    });
  }
  return files;
}

/** The differences between two such trees, as lines: `modified /etc/motd content, mode`. */
export function mountedDifferences(
  before: ReadonlyMap<string, Readonly<Record<string, string>>>,
  after: ReadonlyMap<string, Readonly<Record<string, string>>>,
): string[] {
  const lines: string[] = [];
  for (const [path, was] of before) {
    const is = after.get(path);
    if (is === undefined) lines.push(`deleted ${path}`);
    else if (is.kind !== was.kind) lines.push(`modified ${path} kind`);
    else {
      const differences = Object.keys(was).filter((field) => was[field] !== is[field]);
      if (differences.length > 0) lines.push(`modified ${path} ${differences.join(', ')}`);
    }
  }
  for (const path of after.keys()) if (!before.has(path)) lines.push(`added ${path}`);
  return lines.sort();
}

function contentOf(path: string, stat: fs.Stats): string {
  if (stat.isFile()) return createHash('sha1').update(fs.readFileSync(path)).digest('hex');
  return stat.isSymbolicLink() ? fs.readlinkSync(path) : '';
}

function attributesBelow(top: string): Map<string, string> {
  const text = execFileSync('getfattr', ['-R', '-P', '-h', '-d', '-m', '-', '-e', 'hex', '.'], {
    cwd: top,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const blocks = text.split('\n\n').map((block) => block.split('\n'));
  return new Map(blocks.map(([first = '', ...lines]) => [first.replace('# file: ', ''), lines.sort().join('\n')]));
}
