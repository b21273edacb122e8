import { extname } from 'node:path';

const types: Readonly<Record<string, string>> = {
  '.cfg': 'text/plain; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.efi': 'application/efi',
  '.html': 'text/html; charset=utf-8',
  '.ign': 'application/vnd.coreos.ignition+json',
  '.ipxe': 'text/plain; charset=utf-8',
  '.img': 'application/octet-stream',
  '.iso': 'application/octet-stream',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
  '.yaml': 'application/yaml',
  '.yml': 'application/yaml',
};

/** What kind of content a file has, by its name (RFC 6838). UEFI's HTTP boot knows loaders by `.efi` or `application/efi`. */
export function mediaTypeOf(name: string): string {
  return types[extname(name).toLowerCase()] ?? 'application/octet-stream';
}
