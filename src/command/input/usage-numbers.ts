import { VarveError } from '../../base/varve-error.ts';

/** Reads how many levels of directories are shown: 0 or more, or `max`. @throws VarveError `INVALID` */
export function parseLevels(text: string): number {
  if (text === 'max') return Number.POSITIVE_INFINITY;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new VarveError('INVALID', `cannot read ${JSON.stringify(text)} as levels: write 0, 1, 2 … or max`);
}

/** Reads the number of a TCP port; 0 stands for any that is free. @throws VarveError `INVALID` */
export function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new VarveError('INVALID', `cannot read ${JSON.stringify(text)} as a port: write a number up to 65535`);
}
