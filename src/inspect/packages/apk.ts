import type { GuestTree } from '../../guest/guest-tree.ts';
import type { Warn } from '../fact.ts';
import { readText } from '../guest-files.ts';
import { type InstalledPackage, mostPackages, splitVersion } from './installed-package.ts';

const largestDatabase = 256 << 20;

/**
 * The packages of Alpine Linux, from apk's database: records of lines that begin with a letter and a colon, an empty line
 * between any two. `path` is the database's. When a package was installed is not on record.
 *
 *     P name   V version   A architecture   I installed size   o source package   T summary   U URL   L license   m maintainer
 *
 * Source: Alpine's wiki, "Apk spec", installed database.
 */
export async function apkPackages(tree: GuestTree, path: string, warn: Warn): Promise<InstalledPackage[]> {
  const read = await readText(tree, path, largestDatabase);
  if (read === undefined) return [];
  const packages: InstalledPackage[] = [];
  for (const { line, fields } of readRecords(read.text)) {
    const [name, fullVersion] = [fields.get('P'), fields.get('V')];
    if (!name || !fullVersion) {
      warn({ path: read.path, message: `the record on line ${line} of ${read.path} names no package and version` });
      continue;
    }
    if (packages.length === mostPackages) {
      warn({ path: read.path, message: `${read.path} has more than ${mostPackages} packages; the rest is left out` });
      break;
    }
    const size = fields.get('I') ?? '';
    packages.push({
      ...{ format: 'apk', name, fullVersion, ...splitVersion(fullVersion), architecture: fields.get('A') },
      size: /^\d{1,15}$/.test(size) ? Number(size) : undefined,
      ...{ sourcePackage: fields.get('o') ?? name, sourceVersion: fullVersion, state: 'installed' },
      ...{ summary: fields.get('T'), url: fields.get('U'), license: fields.get('L'), vendor: fields.get('m') },
      source: { path: read.path, record: `line ${line}` },
    });
  }
  return packages;
}

const wanted = new Set(['P', 'V', 'A', 'I', 'o', 'T', 'U', 'L', 'm']);

/** The records of the database, with the lines of a package alone: those of its files are many. */
function* readRecords(text: string): Generator<{ readonly line: number; readonly fields: Map<string, string> }> {
  let fields = new Map<string, string>();
  let first = 1;
  let number = 0;
  let hasAny = false;
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    number += 1;
    if (end === start) {
      if (hasAny) yield { line: first, fields };
      fields = new Map();
      hasAny = false;
    } else {
      if (!hasAny) first = number;
      hasAny = true;
      const letter = text[start]!;
      if (text[start + 1] === ':' && wanted.has(letter)) fields.set(letter, text.slice(start + 2, end));
    }
    start = end + 1;
  }
  if (hasAny) yield { line: first, fields };
}
