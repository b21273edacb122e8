import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { text } from 'node:stream/consumers';
import { run } from '../filesystem/sample-image.ts';

/** What sfdisk says of a partition; sectors are counted. */
export interface SfdiskPartition {
  readonly node: string;
  readonly start: number;
  readonly size: number;
  readonly type: string;
  readonly uuid?: string;
  readonly name?: string;
  readonly attrs?: string;
  readonly bootable?: boolean;
}

/** And of a table. */
export interface SfdiskTable {
  readonly label: string;
  readonly id: string;
  readonly partitions?: readonly SfdiskPartition[];
}

/** Makes an empty disk file with the partitions of sfdisk's script. */
export async function makePartitionedDisk(path: string, size: number, script: string): Promise<void> {
  fs.writeFileSync(path, '');
  fs.truncateSync(path, size);
  const child = spawn('sfdisk', ['--quiet', '--no-reread', path], { stdio: ['pipe', 'ignore', 'pipe'] });
  child.stdin.end(script);
  const [[status], said] = await Promise.all([once(child, 'close'), text(child.stderr)]);
  if (status !== 0) throw new Error(`sfdisk: ${said}\n${script}`);
}

/** The table of a disk file. */
export async function sfdiskTable(path: string): Promise<SfdiskTable> {
  return (JSON.parse(await run('sfdisk', ['--json', path])) as { partitiontable: SfdiskTable }).partitiontable;
}
