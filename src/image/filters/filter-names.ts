/** A filter as it is written behind `--filter`. */
export interface FilterName {
  readonly name: string;
  /** What may stand there: `partition=NUMBER`. */
  readonly usage: string;
}

/** The filters of files, then those of disks. Nothing else is here: completion and help load this. */
export const filterNames = [
  { name: 'split', usage: 'split, or split=FILE,FILE with the files that follow' },
  { name: 'tar', usage: 'tar=NAME with the name of a file in the archive' },
  { name: 'partition', usage: 'partition=NUMBER, and ,sector-size=4096 for an MBR that counts so' },
  { name: 'offset', usage: 'offset=SIZE, or offset=SIZE,LENGTH' },
  { name: 'truncate', usage: 'truncate=SIZE, truncate=round-up=SIZE or truncate=round-down=SIZE' },
  { name: 'readonly', usage: 'readonly' },
  { name: 'cow', usage: 'cow, or cow=memory' },
  { name: 'cache', usage: 'cache, or cache=SIZE, and ,block=SIZE' },
  { name: 'readahead', usage: 'readahead, or readahead=SIZE' },
  { name: 'rate', usage: 'rate=SIZE, which is a second, or rate=read=SIZE,write=SIZE' },
  {
    name: 'delay',
    usage: 'delay=TIME, or delay=read=TIME,write=TIME (also zero, trim, flush, extents), and ,jitter=TIME',
  },
  {
    name: 'error',
    usage:
      'error=CODE or error=CODE:1% with EIO, ENOSPC, EPERM or EINVAL, and ,on=read+write (also zero, trim, flush, ' +
      'extents) ,after=COUNT ,times=COUNT ,seed=NUMBER',
  },
  { name: 'retry', usage: 'retry, or retry=COUNT, and ,delay=TIME ,factor=NUMBER' },
  { name: 'log', usage: 'log=FILE' },
  { name: 'stats', usage: 'stats' },
] as const satisfies readonly FilterName[];
