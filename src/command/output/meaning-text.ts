import type { ConfigurationChange } from '../../changes/meaning/configuration-changes.ts';
import type { Meaning } from '../../changes/meaning/meaning-of.ts';
import type { NamedChange } from '../../changes/meaning/named-changes.ts';
import type { PackageChange } from '../../changes/meaning/package-changes.ts';
import type { UserChange } from '../../changes/meaning/user-changes.ts';
import { nameText } from './name-text.ts';

/** So many of a kind are told in short. */
const mostInShort = 8;

/** What changes mean, a line for each kind: nothing where they mean nothing. */
export function shortMeaning({ packages, users, services, kernels }: Meaning): string[] {
  return [
    ...shortLine('Packages', packages.map(packageText)),
    ...shortLine('Users', users.map(userText)),
    ...shortLine('Services', services.map(namedText)),
    ...shortLine('Kernels', kernels.map(namedText)),
  ];
}

function shortLine(title: string, items: readonly string[]): string[] {
  if (items.length === 0) return [];
  const more = items.length > mostInShort ? [`${items.length - mostInShort} more (--meaning shows all)`] : [];
  return [`${title}: ${[...items.slice(0, mostInShort), ...more].join('; ')}`];
}

/** All that changes mean, with the lines of settings. */
export function longMeaning({ packages, users, services, kernels, configuration }: Meaning): string[] {
  return [
    ...section('Packages', packages.map(packageText)),
    ...section('Users', users.map(userText)),
    ...section('Services', services.map(namedText)),
    ...section('Kernels', kernels.map(namedText)),
    ...section('Configuration', configuration.flatMap(configurationLines)),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${line}`)];
}

function packageText({ change, name, architecture, before, after }: PackageChange): string {
  const what = nameText(architecture === undefined ? name : `${name}:${architecture}`);
  if (change === 'added') return `${what} ${nameText(after!)} added`;
  if (change === 'removed') return `${what} ${nameText(before!)} removed`;
  return `${what} ${nameText(before!)} -> ${nameText(after!)} ${change}`;
}

function userText({ change, name, differences }: UserChange): string {
  const list = differences.length === 0 ? '' : ` (${differences.map(nameText).join(', ')})`;
  return `${nameText(name)} ${change}${list}`;
}

function namedText({ change, name }: NamedChange): string {
  return `${nameText(name)} ${change}`;
}

function configurationLines({ change, path, deleted, added }: ConfigurationChange): string[] {
  const marked = (mark: string, lines: readonly string[]) => lines.map((line) => `  ${mark} ${nameText(line)}`);
  return [`${nameText(path)} ${change}`, ...marked('-', deleted), ...marked('+', added)];
}
