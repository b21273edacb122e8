import { colonMac } from '../../../bytes/hardware-address.ts';
/**
 * A file's name in the one way in which names are compared and shown: without a server before it, with `/`, and without
 * the token of a template, which is nobody else's business.
 */
export function fileKey(name: string): string {
  const path = name.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/[?#].*$/s, '');
  const plain = path.replaceAll('\\', '/').replace(/^\/+/, '');
  return plain.replace(/^template\/[0-9a-f]{32}\//, 'template/…/').slice(0, 256);
}

const macInName = /(?:^|[/-])(?:01-)?([0-9a-f]{2}(?:[:-][0-9a-f]{2}){5})(?=[./]|$)/i;

/** The MAC address that a name has in it, as scripts and configurations of machines do: `ipxe/52-54-00-12-34-56.ipxe`, `grub.cfg-01-52-…`. */
export function macOfName(name: string): string | undefined {
  const [, mac] = macInName.exec(name) ?? [];
  return mac === undefined ? undefined : colonMac(mac);
}
