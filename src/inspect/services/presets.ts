import type { GuestTree } from '../../guest/guest-tree.ts';
import { attempt } from '../attempt.ts';
import type { Warn } from '../fact.ts';
import { entriesOf, type ListedFile, readListed } from '../guest-files.ts';
import { globMatcher } from './glob-matcher.ts';

/** What a distribution wants to be enabled: rules, the first that fits counts. */
export type Presets = (unit: string) => 'enable' | 'disable' | undefined;

/** In systemd's order: a file of a name hides those of the same name in later directories. */
const directories = [
  ...['/etc/systemd/system-preset', '/usr/local/lib/systemd/system-preset', '/usr/lib/systemd/system-preset'],
  '/lib/systemd/system-preset',
];
const mostRules = 10_000;
const longestPattern = 64;
/** Comparisons of a unit with a rule; systems have some ten thousand. */
const mostComparisons = 500_000;

/** The presets of a guest; they say nothing where there are none. Source: systemd.preset(5). */
export async function presetsOf(tree: GuestTree, warn: Warn): Promise<Presets> {
  const files = new Map<string, ListedFile>();
  for (const directory of directories) {
    for (const listed of await attempt(directory, warn, [], () => entriesOf(tree, directory))) {
      if (listed.name.endsWith('.preset') && !files.has(listed.name)) files.set(listed.name, listed);
    }
  }
  const rules: { readonly action: 'enable' | 'disable'; readonly matches: (name: string) => boolean }[] = [];
  for (const [, listed] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const read = await attempt(listed.path, warn, undefined, () => readListed(tree, listed));
    for (const line of read?.text.split('\n') ?? []) {
      const [, action, glob] = /^\s*(enable|disable)\s+(\S+)/.exec(line) ?? [];
      if (glob === undefined || glob.length > longestPattern || rules.length === mostRules) continue;
      rules.push({ action: action as 'enable' | 'disable', matches: globMatcher(glob) });
    }
  }
  if (rules.length === 0) return () => undefined;
  let left = mostComparisons;
  return (unit) => {
    left -= rules.length;
    return left < 0 ? undefined : (rules.find(({ matches }) => matches(unit))?.action ?? 'enable');
  };
}
