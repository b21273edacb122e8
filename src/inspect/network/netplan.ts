import type { InterfaceSettings } from './interface-settings.ts';

interface Draft {
  usesDhcp: boolean;
  readonly addresses: string[];
  readonly gateways: string[];
}

/** What is below one of these is named interfaces. */
const groups = new Set(['ethernets', 'wifis', 'bonds', 'bridges', 'vlans', 'tunnels', 'dummy-devices']);
const isTrue = /^(?:true|yes|on|y)$/i;

/**
 * The interfaces of a file of netplan, from YAML's block style and lists in brackets: what installers and people write. What
 * is written otherwise is passed over.
 *
 * Source: netplan(5).
 */
export function parseNetplan(text: string): InterfaceSettings[] {
  const drafts = new Map<string, Draft>();
  /** The keys that the current line is below, with their indentations. */
  let path: { readonly indent: number; readonly key: string }[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.replace(/(?:^|\s)#.*$/s, '').trimEnd();
    const [, blanks = '', dash, rest = ''] = /^( *)(- +)?(.*)$/s.exec(line) ?? [];
    if (rest === '') continue;
    // A list may stand as far to the left as its own key.
    const indent = blanks.length + (dash?.length ?? 0);
    path = path.filter((each) => each.indent < (dash === undefined ? indent : blanks.length + 1));
    const [, key, value = ''] = /^("[^"]*"|'[^']*'|[^\s:[{]+):(?:\s+(.*))?$/s.exec(rest) ?? [];
    const keys = path.map((each) => each.key);
    const at = keys.findIndex((each) => groups.has(each));
    const name = at < 0 ? undefined : (keys[at + 1] ?? (key === undefined ? undefined : unquoted(key)));
    if (name !== undefined) note(draftOf(drafts, name), keys.slice(at + 2), key, value, rest);
    if (key !== undefined) path.push({ indent, key: unquoted(key) });
  }
  return [...drafts].map(([name, settings]) => ({ name, ...settings }));
}

function draftOf(drafts: Map<string, Draft>, name: string): Draft {
  const known = drafts.get(name) ?? { usesDhcp: false, addresses: [], gateways: [] };
  drafts.set(name, known);
  return known;
}

function note(draft: Draft, below: readonly string[], key: string | undefined, value: string, rest: string): void {
  if ((key === 'dhcp4' || key === 'dhcp6') && isTrue.test(value)) draft.usesDhcp = true;
  else if (key === 'gateway4' || key === 'gateway6') draft.gateways.push(unquoted(value));
  else if (key === 'via' && below[0] === 'routes') draft.gateways.push(unquoted(value));
  else if (key === 'addresses' && below.length === 0 && value.startsWith('[')) {
    draft.addresses.push(
      ...value
        .replace(/[[\]]/g, '')
        .split(',')
        .map((each) => unquoted(each.trim()))
        .filter(Boolean),
    );
  } else if (below.length === 1 && below[0] === 'addresses' && key === undefined) draft.addresses.push(unquoted(rest));
}

function unquoted(text: string): string {
  return /^(["']).*\1$/s.test(text) ? text.slice(1, -1) : text;
}
