import type { GuestTree } from '../../guest/guest-tree.ts';
import { attempt } from '../attempt.ts';
import type { Warn } from '../fact.ts';
import { entriesOf, type GuestText, type ListedFile, readListed, readText } from '../guest-files.ts';
import { readStanzas, type Stanza } from './deb822.ts';
import { type InstalledPackage, mostPackages, splitVersion } from './installed-package.ts';
import { dpkgDirectory as directory } from './package-databases.ts';

/** Some hundred times that of a large system; a text in memory can have twice as much. */
const largestStatus = 256 << 20;
const wanted = new Set([
  ...['package', 'status', 'version', 'architecture', 'installed-size', 'source', 'description', 'homepage'],
  ...['maintainer', 'multi-arch'],
]);
/** The states in which none of a package's programs is there. */
const absent = new Set(['not-installed', 'config-files']);

/** Of a package; Debian has some twenty. */
const mostArchitectures = 100;

/** A record, and the file that it stands in. */
interface Entry {
  readonly path: string;
  readonly stanza: Stanza;
}

/**
 * The packages that dpkg has on record: in `status`, what was not merged into it yet (`updates`), and the files of images
 * that were built without dpkg (`status.d`). Those of which only settings are left do not count.
 *
 * Source: dpkg(1), deb-control(5), dpkg-query(1).
 */
export async function dpkgPackages(tree: GuestTree, warn: Warn): Promise<InstalledPackage[]> {
  const entries: Entries = new Map();
  const add = (read: GuestText | undefined) => addEntries(entries, read, warn);
  const status = `${directory}/status`;
  await attempt(status, warn, undefined, async () => add(await readText(tree, status, largestStatus)));
  for (const each of await recordFiles(tree, warn)) {
    await attempt(each.path, warn, undefined, async () => add(await readListed(tree, each)));
  }
  const times = await attempt(`${directory}/info`, warn, new Map<string, number>(), () => installTimes(tree, entries));
  return [...entries.values()].flatMap((own) => [...own.values()].flatMap((entry) => packageOf(entry, times)));
}

async function recordFiles(tree: GuestTree, warn: Warn): Promise<ListedFile[]> {
  const [updates, records] = [`${directory}/updates`, `${directory}/status.d`];
  const updated = await attempt(updates, warn, [], () => entriesOf(tree, updates));
  const single = await attempt(records, warn, [], () => entriesOf(tree, records));
  return [
    ...updated.filter(({ name }) => /^\d+$/.test(name)),
    ...single.filter(({ name }) => !name.endsWith('.md5sums')),
  ];
}

/** The records of a package, by architecture. */
type Entries = Map<string, Map<string, Entry>>;

/** A later record of a package takes the place of an earlier one: of any, if it cannot be there for several architectures. */
function addEntries(entries: Entries, read: GuestText | undefined, warn: Warn): void {
  if (read === undefined) return;
  for (const stanza of readStanzas(read.text, wanted)) {
    const name = stanza.fields.get('package');
    if (name === undefined || name === '') {
      warn({ path: read.path, message: `the record on line ${stanza.line} of ${read.path} names no package` });
      continue;
    }
    if (entries.size >= mostPackages) {
      warn({ path: read.path, message: `${read.path} has more than ${mostPackages} packages; the rest is left out` });
      return;
    }
    const others = stanza.fields.get('multi-arch') === 'same' ? entries.get(name) : undefined;
    const own = others ?? new Map<string, Entry>();
    if (own.size < mostArchitectures) own.set(stanza.fields.get('architecture') ?? '', { path: read.path, stanza });
    entries.set(name, own);
  }
}

/** When a package was installed last is when its list of files was written. */
async function installTimes(tree: GuestTree, known: Entries): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  for (const { name, fileSystem, node } of await entriesOf(tree, `${directory}/info`)) {
    if (!name.endsWith('.list')) continue;
    const { modified } = await fileSystem.stat(node);
    if (modified !== undefined) times.set(name.slice(0, -'.list'.length), modified.seconds);
    if (times.size > known.size + mostPackages) break;
  }
  return times;
}

function packageOf({ path, stanza }: Entry, times: ReadonlyMap<string, number>): InstalledPackage[] {
  const { fields, line } = stanza;
  const name = fields.get('package')!;
  const architecture = fields.get('architecture') || undefined;
  // What was put there without dpkg has no status.
  const state = fields.get('status')?.split(/\s+/)[2] ?? 'installed';
  const fullVersion = fields.get('version') ?? '';
  if (absent.has(state) || fullVersion === '') return [];
  const [summary, ...description] = fields.get('description')?.split('\n') ?? [];
  return [
    {
      ...{ format: 'deb', name, fullVersion, ...splitVersion(fullVersion), architecture, state, summary },
      ...sourceOf(fields, name, fullVersion),
      size: sizeOf(fields.get('installed-size')),
      installed: times.get(`${name}:${architecture}`) ?? times.get(name),
      description: description.length === 0 ? undefined : description.join('\n'),
      url: fields.get('homepage'),
      vendor: fields.get('maintainer'),
      source: { path, record: `line ${line}` },
    },
  ];
}

/** `Source: glibc (2.36-9)`; without one, a package was built from a source of its own name and version. */
function sourceOf(
  fields: ReadonlyMap<string, string>,
  name: string,
  fullVersion: string,
): Pick<InstalledPackage, 'sourcePackage' | 'sourceVersion'> {
  const [, sourcePackage, sourceVersion] = /^(\S+)(?:\s+\(([^()]*)\))?/.exec(fields.get('source') ?? '') ?? [];
  return { sourcePackage: sourcePackage ?? name, sourceVersion: sourceVersion ?? fullVersion };
}

/** In units of 1024 bytes there. */
function sizeOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) * 1024 : undefined;
}
