import type { InterfaceSettings } from './interface-settings.ts';
import { withPrefix } from './prefix-length.ts';

interface Draft {
  usesDhcp: boolean;
  readonly addresses: string[];
  readonly gateways: string[];
}

/** Debian's `iface eth0 inet static`, and the lines that belong to it. Source: interfaces(5). */
export function parseIfupdown(text: string): InterfaceSettings[] {
  const drafts = new Map<string, Draft>();
  let draft: Draft | undefined;
  let address: string | undefined;
  for (const line of text.replace(/\\\n/g, ' ').split('\n')) {
    const [word, first, second, third] = line.trim().split(/\s+/);
    if (word === 'iface' && first !== undefined) {
      draft = drafts.get(first) ?? { usesDhcp: false, addresses: [], gateways: [] };
      drafts.set(first, draft);
      address = undefined;
      if (third === 'dhcp' || (second === 'inet6' && third === 'auto')) draft.usesDhcp = true;
    } else if (word === 'auto' || word === 'mapping' || word?.startsWith('allow-') || word === 'source') {
      draft = undefined;
    } else if (draft !== undefined && first !== undefined) {
      if (word === 'address') {
        address = first;
        draft.addresses.push(first);
      }
      if (word === 'gateway') draft.gateways.push(first);
      if (word === 'netmask' && address !== undefined)
        draft.addresses[draft.addresses.length - 1] = withPrefix(address, first);
    }
  }
  return [...drafts].map(([name, settings]) => ({ name, ...settings }));
}
