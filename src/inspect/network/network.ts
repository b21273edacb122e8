import type { GuestTree } from '../../guest/guest-tree.ts';
import { attempt } from '../attempt.ts';
import { type Fact, type FactSource, noWarnings, type Warn } from '../fact.ts';
import { beginFact, entriesOf, type GuestText, readListed, readText } from '../guest-files.ts';
import { parseIfcfg } from './ifcfg.ts';
import { parseIfupdown } from './ifupdown.ts';
import type { InterfaceSettings } from './interface-settings.ts';
import { parseKeyfile } from './keyfile.ts';
import { parseNetplan } from './netplan.ts';
import { parseNetworkdFile } from './networkd.ts';

/** The same, and which program sets it up. */
export interface NetworkInterface extends InterfaceSettings {
  readonly manager: 'ifupdown' | 'systemd-networkd' | 'NetworkManager' | 'netplan' | 'ifcfg';
  readonly source: FactSource;
}

/** A guest's network, as its settings have it. */
export interface Network {
  readonly interfaces: readonly NetworkInterface[];
  /** Where names are looked up. */
  readonly nameservers: readonly Fact<string>[];
}

interface Kind {
  readonly manager: NetworkInterface['manager'];
  readonly paths: readonly string[];
  /** Where `paths` are directories: the names in them. */
  readonly names?: RegExp;
  readonly parse: (text: string) => InterfaceSettings[];
}

const kinds: readonly Kind[] = [
  { manager: 'ifupdown', paths: ['/etc/network/interfaces'], parse: parseIfupdown },
  { manager: 'ifupdown', paths: ['/etc/network/interfaces.d'], names: /^[\w-]+(?:\.cfg)?$/, parse: parseIfupdown },
  { manager: 'systemd-networkd', paths: ['/etc/systemd/network'], names: /\.network$/, parse: parseNetworkdFile },
  { manager: 'netplan', paths: ['/etc/netplan'], names: /\.ya?ml$/, parse: parseNetplan },
  {
    manager: 'NetworkManager',
    paths: ['/etc/NetworkManager/system-connections'],
    names: /\.nmconnection$/,
    parse: parseKeyfile,
  },
  {
    manager: 'ifcfg',
    paths: ['/etc/sysconfig/network-scripts', '/etc/sysconfig/network'],
    names: /^ifcfg-[\w.:@-]+$/,
    parse: parseIfcfg,
  },
];

const mostInterfaces = 10_000;

/** What a guest's network is set up as; what it got from others when it ran is not on record. */
export async function networkOf(tree: GuestTree, warn: Warn = noWarnings): Promise<Network> {
  beginFact(tree);
  const interfaces: NetworkInterface[] = [];
  for (const { manager, parse, ...places } of kinds) {
    for (const { path, text } of await filesOf(tree, places, warn)) {
      for (const settings of parse(text)) {
        if (settings.name === 'lo' || interfaces.length === mostInterfaces) continue;
        interfaces.push({ ...settings, manager, source: { path } });
      }
    }
  }
  return { interfaces, nameservers: await nameserversOf(tree, warn) };
}

async function filesOf(
  tree: GuestTree,
  { paths, names }: Pick<Kind, 'names' | 'paths'>,
  warn: Warn,
): Promise<GuestText[]> {
  const files: GuestText[] = [];
  for (const path of paths) {
    if (names === undefined) {
      const read = await attempt(path, warn, undefined, () => readText(tree, path));
      if (read !== undefined) files.push(read);
      continue;
    }
    const entries = await attempt(path, warn, [], () => entriesOf(tree, path));
    for (const each of entries.filter(({ name }) => names.test(name)).slice(0, mostInterfaces)) {
      const read = await attempt(each.path, warn, undefined, () => readListed(tree, each));
      if (read !== undefined) files.push(read);
    }
  }
  return files;
}

/** Source: resolv.conf(5). */
async function nameserversOf(tree: GuestTree, warn: Warn): Promise<Fact<string>[]> {
  const path = '/etc/resolv.conf';
  const read = await attempt(path, warn, undefined, () => readText(tree, path));
  const lines = (read?.text ?? '').split('\n');
  return lines.flatMap((line, index) => {
    const value = /^\s*nameserver\s+(\S+)/.exec(line)?.[1];
    return value === undefined ? [] : [{ value, source: { path: read!.path, record: `line ${index + 1}` } }];
  });
}
