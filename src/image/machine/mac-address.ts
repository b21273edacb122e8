import { VarveError } from '../../base/varve-error.ts';

const spellings = [
  /^[0-9a-f]{12}$/,
  /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/,
  /^([0-9a-f]{2}-){5}[0-9a-f]{2}$/,
  /^([0-9a-f]{4}\.){2}[0-9a-f]{4}$/,
];

/** A MAC in any usual spelling (`52:54:00:12:34:56`, `5254.0012.3456`) as we write it: `52-54-00-12-34-56`. */
export function macOf(text: string): string | undefined {
  const lower = text.toLowerCase();
  if (!spellings.some((spelling) => spelling.test(lower))) return undefined;
  return lower.replaceAll(/[^0-9a-f]/g, '').replaceAll(/(..)(?=.)/g, '$1-');
}

/** @throws VarveError `INVALID` for what is no MAC */
export function requireMac(text: string): string {
  const mac = macOf(text);
  if (mac !== undefined) return mac;
  throw new VarveError('INVALID', `${JSON.stringify(text)} is no MAC address, such as 52:54:00:12:34:56`);
}
