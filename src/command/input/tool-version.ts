import { readFileSync } from 'node:fs';

/** Varve's own version, as documents name it that say what made them. */
export function toolVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}
