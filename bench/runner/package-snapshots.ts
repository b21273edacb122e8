import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSize } from '../../src/base/size.ts';
import { run, varve } from './program.ts';

const names = ['bin', 'changelog', 'copyright', 'config'];

/** A disk in two states that differ by one package. */
export interface PackageSnapshots {
  /** Disk files, sparse. */
  readonly before: string;
  readonly after: string;
  /** The same as snapshots in a store. */
  readonly first: string;
  readonly second: string;
}

/** Grows a copy of `disk`, an ext4 with a Debian root, to `size` (`20G`), and brings it and one with a package more into a store. */
export function packageSnapshots(disk: string, size: string, directory: string, store: string): PackageSnapshots {
  const [before, after, image] = [join(directory, `${size}-1.raw`), join(directory, `${size}-2.raw`), `disk-${size}`];
  run(['cp', '--sparse=always', disk, before]);
  truncateSync(before, parseSize(size));
  run(['resize2fs', '-f', before]);
  run(varve('import', before, image, '--store', store));
  run(['cp', '--sparse=always', before, after]);
  addPackage(after, join(directory, 'package'));
  run(varve('import', after, image, '--update', '--store', store));
  const shown = run(varve('diff', `${image}@1`, `${image}@2`, '--store', store)).stdout;
  if (!shown.includes('Packages: new:all 1 added')) throw new Error(`diff does not tell of the package: ${shown}`);
  return { before, after, first: `${image}@1`, second: `${image}@2` };
}

/** What installing a package leaves: a few files, and a record in dpkg's list. */
function addPackage(disk: string, tree: string): void {
  mkdirSync(tree, { recursive: true });
  for (const name of names) writeFileSync(join(tree, name), `${name}\n`.repeat(10_000));
  const status = join(tree, 'status');
  const known = run(['debugfs', '-R', 'cat /var/lib/dpkg/status', disk]).stdout;
  writeFileSync(status, `${known}\nPackage: new\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n`);
  const commands = [
    ...['mkdir /usr/share/doc/new', 'cd /usr/share/doc/new'],
    ...names.map((name) => `write ${join(tree, name)} ${name}`),
    ...['cd /var/lib/dpkg', 'rm status', `write ${status} status`],
  ];
  writeFileSync(join(tree, 'commands'), `${commands.join('\n')}\n`);
  run(['debugfs', '-w', '-f', join(tree, 'commands'), disk]);
}
